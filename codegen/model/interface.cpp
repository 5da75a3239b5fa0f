// Names, sizes and choices of the C interface. See interface.h.
#include "codegen/model/interface.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>

#include "ir/joined.h"

namespace tarn {

namespace {

std::string upper_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool is_identifier(std::string_view text) {
  const auto is_word = [](unsigned char c) { return c < 128 && (std::isalnum(c) != 0 || c == '_'); };
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0 &&
         std::all_of(text.begin(), text.end(), is_word);
}

// What cannot name a parameter as it is: keywords of C99 to C2x and of C++17 to C++23, macros of their headers and of
// compilers that are written in small letters, the types of our headers, and what else these call so. The names of
// their functions begin with the model's, those of macros have no small letter, those of types end in _t, and what
// begins with _ belongs to the compiler: see parameter_for.
constexpr std::string_view kTakenNames[] = {
    // clang-format off
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "char8_t", "char16_t", "char32_t", "class", "compl", "concept", "const", "consteval", "constexpr",
    "constinit", "const_cast", "continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete",
    "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for",
    "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq",
    "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "requires", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast",
    "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid",
    "typename", "typeof", "typeof_unqual", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
    "while", "xor", "xor_eq",
    "complex", "imaginary", "noreturn", "errno", "stdin", "stdout", "stderr", "math_errhandling", "linux", "unix",
    "i386", "near", "far", "small", "interface", "cdecl", "pascal", "signals", "slots", "emit", "foreach",
    "forever", "environ",
    "size_t", "int32_t", "uint8_t", "uint32_t", "uint64_t", "std", "state", "workspace", "packed", "bytes",
    "count", "samples", "rows", "order", "metrics", "control", "seed", "row", "state_", "workspace_", "packed_"
    // clang-format on
};

// The name of an array as a parameter: with something before it or behind it where a compiler may take it otherwise.
std::string parameter_for(const std::string& name, const std::string& prefix) {
  const auto is_taken = [](const std::string& word) {
    return std::find(std::begin(kTakenNames), std::end(kTakenNames), word) != std::end(kTakenNames);
  };
  if (name.starts_with('_')) return "a" + name;
  const bool has_small = std::any_of(name.begin(), name.end(), [](unsigned char c) { return std::islower(c) != 0; });
  const bool is_type = name.ends_with("_t");
  if (has_small && !is_type && !is_taken(name) && !name.starts_with(prefix + "_")) return name;
  // Members of the C++ classes end in _.
  return is_taken(name + "_") ? name + "_array" : name + "_";
}

class InterfaceMaker {
 public:
  InterfaceMaker(const Program& program, const ProgramPlan& plan, const Target& target, const InterfaceRequest& request)
      : program_(program), plan_(plan), target_(target), request_(request) {}

  Result<ModelInterface> make() {
    api_.model = program_.name;
    api_.prefix = request_.prefix.empty() ? program_.name : request_.prefix;
    if (!is_identifier(api_.prefix))
      return error(fmt::format("'{}' cannot begin the names of C functions", api_.prefix));
    api_.macro_prefix = upper_case(api_.prefix);
    add_class_names();
    TARN_RETURN_IF_ERROR(choose_functions());
    api_.has_finish = api_.has_train && program_.settings.averages_weights;
    add_arrays();
    api_.wrong_size = api_.macro_prefix + (macros_.contains("WRONG") ? "_WRONG_SIZE_" : "_WRONG_SIZE");
    add_tensors_and_metrics();
    measure();
    return std::move(api_);
  }

 private:
  bool* flag_of(std::string_view function) {
    if (function == "init") return &api_.has_init;
    if (function == "predict") return &api_.has_predict;
    if (function == "pack") return &api_.has_pack;
    if (function == "train") return &api_.has_train;
    if (function == "evaluate") return &api_.has_evaluate;
    if (function == "adapt") return &api_.has_adapt;
    return nullptr;
  }
  // Without an `init` graph, there are no tensors to draw: init then writes the header of the state.
  bool exists(const std::string& function) const {
    // A plan from which functions that are not wanted have gone may have one of the two.
    if (function == "pack") return plan_.plans.contains("predict") || plan_.plans.contains("predict_packed");
    return function == "init" || plan_.plans.contains(function);
  }

  Status choose_functions() {
    api_.is_baked = request_.bake_weights;
    for (const std::string& function : request_.functions) {
      bool* const flag = flag_of(function);
      if (flag == nullptr) {
        return error(fmt::format("--functions: there is no function '{}'; there are {}", function,
                                 joined(interface_functions(), ", ")));
      }
      if (!exists(function)) {
        return error(fmt::format("--functions: model '{}' has nothing for '{}'{}", program_.name, function,
                                 program_.trainable ? "" : ": the file has no `train` block"));
      }
      if (api_.is_baked && function != "predict")
        return error(fmt::format("weights that are built in cannot change: '{}' needs a state", function));
      *flag = true;
    }
    if (!request_.functions.empty()) return Done{};
    for (const std::string& function : interface_functions()) {
      *flag_of(function) = api_.is_baked ? function == "predict" : exists(function);
    }
    return Done{};
  }

  InterfaceArray array_of(const std::string& name, const Type& type, std::size_t index) {
    InterfaceArray array{name, parameter_for(name, api_.prefix), "", type, index, element_count(type.shape), {}};
    while (parameters_.contains(array.parameter)) array.parameter += '_';
    parameters_.insert(array.parameter);
    // All macros of arrays end in _SIZE, _RANK or _DIM_k, as only one other does: see wrong_size.
    std::string macro = upper_case(name);
    while (macros_.contains(macro)) macro += '_';
    macros_.insert(macro);
    array.macro = api_.macro_prefix + "_" + macro;
    return array;
  }

  void add_arrays() {
    for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
      const InputInfo& input = program_.inputs[i];
      InterfaceArray array = array_of(input.name, input.type, i);
      array.values = input.values;
      array.ranges = input.elements;
      (input.role == InputRole::input ? api_.inputs : api_.targets).push_back(std::move(array));
    }
    for (std::size_t i = 0; i < program_.outputs.size(); ++i) {
      api_.outputs.push_back(array_of(program_.outputs[i].name, program_.outputs[i].type, i));
    }
  }

  void add_class_names() {
    api_.class_lists = request_.class_names;
    for (ClassNames& list : api_.class_lists) {
      for (const OutputInfo& output : program_.outputs) {
        if (output.target == list.array) list.outputs.push_back(output.name);
      }
      const InputInfo* const input = program_.find_input(list.array);
      if (api_.class_names.empty() && input != nullptr && input->role == InputRole::target)
        api_.class_names = list.names;
    }
  }

  void add_tensors_and_metrics() {
    for (const TensorInfo& tensor : program_.tensors) {
      if (tensor.kind != TensorKind::metric) api_.tensors.push_back(tensor);
    }
    for (std::size_t i = 1; i < program_.metrics.size(); ++i) {
      api_.metrics.push_back(program_.metrics[i]);
      api_.metric_count += element_count(program_.metrics[i].shape);
    }
    for (const char* graph : {"train", "evaluate"}) {
      const auto found = plan_.plans.find(graph);
      if (found == plan_.plans.end()) continue;
      for (const PlanResult& result : found->second.results) {
        if (result.kind == ResultKind::loss) api_.real = found->second.buffers[result.buffer].dtype;
      }
    }
  }

  // Bytes of temporaries of one graph.
  std::uint64_t arena_of(const std::string& graph) const {
    const auto found = plan_.plans.find(graph);
    if (found == plan_.plans.end()) return 0;
    ProgramPlan alone;
    alone.plans.insert(*found);
    const WorkspaceLayout layout = workspace_layout(program_, alone, target_);
    return layout.bytes - layout.arena;
  }

  std::uint64_t packed_bytes() const {
    if (plan_.plans.contains("predict_packed")) return plan_.packed.bytes;
    std::uint64_t end = kStateHeaderBytes;
    const auto predict = plan_.plans.find("predict");
    if (predict == plan_.plans.end()) return end;
    for (const Buffer& buffer : predict->second.buffers) {
      if (buffer.space != Space::state) continue;
      for (const TensorInfo& tensor : api_.tensors) {
        const std::uint64_t tensor_end = tensor.offset + sample_bytes(tensor.type);
        if (buffer.offset >= tensor.offset && buffer.offset < tensor_end) end = std::max(end, tensor_end);
      }
    }
    return aligned(end);
  }

  void measure() {
    api_.batch = program_.settings.batch;
    api_.layout = layout_hash(program_);
    api_.init_scratch = state_bytes(program_);
    api_.state_bytes = api_.init_scratch + (api_.has_init ? arena_of("init") : 0);
    api_.packed_bytes = packed_bytes();
    const auto train = plan_.plans.find("train");
    if (api_.has_train && train != plan_.plans.end() && is_shared(train->second)) api_.threads = request_.threads;
    api_.predict_workspace_bytes = std::max({arena_of("predict"), arena_of("predict_packed"), kAlignment});
    api_.workspace_bytes = api_.predict_workspace_bytes;
    if (!api_.has_train && !api_.has_evaluate && !api_.has_adapt) return;
    const WorkspaceLayout layout = workspace_layout(program_, plan_, target_);
    const auto others = static_cast<std::uint64_t>(api_.threads - 1);
    api_.metric_values = aligned(layout.bytes + others * layout.scratch);
    const auto values = static_cast<std::uint64_t>(api_.metric_count + 1);
    api_.workspace_bytes = std::max(api_.workspace_bytes, api_.metric_values + aligned(values * sizeof(double)));
  }

  const Program& program_;
  const ProgramPlan& plan_;
  const Target& target_;
  const InterfaceRequest& request_;
  ModelInterface api_;
  std::set<std::string, std::less<>> parameters_, macros_;
};

}  // namespace

std::vector<ClassNames> ModelInterface::listed_classes() const {
  const bool is_said_already = class_lists.size() == 1 && class_lists.front().names == class_names;
  return is_said_already ? std::vector<ClassNames>() : class_lists;
}

std::string c_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::f64:
      return "double";
    case DType::i32:
      return "int32_t";
    case DType::boolean:
      return "uint8_t";
  }
  return "";
}

const std::vector<std::string>& interface_functions() {
  static const std::vector<std::string> kNames = {"init", "predict", "pack", "train", "evaluate", "adapt"};
  return kNames;
}

Result<ModelInterface> model_interface(const Program& program, const ProgramPlan& plan, const Target& target,
                                       const InterfaceRequest& request) {
  return InterfaceMaker(program, plan, target, request).make();
}

std::vector<std::string> graphs_of(const ModelInterface& interface, const ProgramPlan& plan) {
  std::vector<std::string> graphs;
  const auto add = [&](const char* name, bool wanted) {
    if (wanted && plan.plans.contains(name)) graphs.emplace_back(name);
  };
  add("init", interface.has_init);
  const bool packs = plan.plans.contains("predict_packed");
  add("predict", interface.has_predict || (interface.has_pack && !packs));
  add("predict_packed", interface.has_pack);
  add("train", interface.has_train);
  add("evaluate", interface.has_evaluate);
  add("adapt", interface.has_adapt);
  add("report", interface.has_train || interface.has_evaluate);
  return graphs;
}

}  // namespace tarn
