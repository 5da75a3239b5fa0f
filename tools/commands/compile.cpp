// `tarn compile FILE -o OUT`: the model as an object file, library or assembly, with a C header.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "codegen/model/compiled_model.h"
#include "codegen/model/cpp_header.h"
#include "codegen/model/js_module.h"
#include "runtime/data/output_classes.h"
#include "runtime/files/file.h"
#include "runtime/training/training.h"
#include "tools/driver/command.h"
#include "tools/driver/command_files.h"
#include "tools/driver/linker.h"
#include "tools/driver/self_test.h"

namespace tarn {

namespace {

namespace fs = std::filesystem;

struct CompileOptions : CommonOptions {
  std::string output, header, prefix, target;
  std::vector<std::string> functions;
  bool test = false;
};

// libiris.a and iris.o have the header iris.h, in the same folder.
std::string header_path(const CompileOptions& options) {
  if (!options.header.empty()) return options.header;
  const fs::path path(options.output);
  std::string stem = path.stem().string();
  const bool is_library = path.extension() == ".a" || path.extension() == ".so";
  if (is_library && stem.starts_with("lib") && stem.size() > 3) stem.erase(0, 3);
  return (path.parent_path() / (stem + ".h")).string();
}

Result<CodeFormat> format_of(const CompileOptions& options) {
  const std::string& path = options.output;
  const std::string extension = fs::path(path).extension().string();
  const bool is_wasm = options.target.starts_with("wasm");
  if (extension == ".wasm" && !is_wasm) return error(fmt::format("-o {}: a .wasm is made for `--target wasm32`", path));
  if (extension == ".so" && is_wasm)
    return error(fmt::format("-o {}: there are no shared libraries of WebAssembly; write a .wasm, .o or .a", path));
  if (extension == ".o" || extension == ".so" || extension == ".wasm") return CodeFormat::object;
  if (extension == ".a") return CodeFormat::archive;
  if (extension == ".s") return CodeFormat::assembly;
  if (extension == ".ll") return CodeFormat::llvm_ir;
  if (extension == ".bc") return CodeFormat::bitcode;
  return error(fmt::format("-o {}: the name must end in .o, .a, .so, .s, .ll, .bc or .wasm", path));
}

// What the command line asks for, read and compiled up to kernel plans.
struct Inputs {
  ModelOptions options;
  // Planned for each CPU; of several, the first stands for what they have in common.
  std::vector<std::pair<ModelOptions, std::shared_ptr<Model>>> models;
  const Program& program() const { return models.front().second->program(); }
  std::unique_ptr<Session> session;  // on this machine, with the weights that are to be built in; else null
  Vocabularies vocabularies;         // of those weights, or else of the data
};

// "a,b" as "a" and "b"; nothing as one that is empty.
std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ',') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

// On this machine, whatever the code is made for.
Result<std::unique_ptr<Session>> initial_session(const Inputs& inputs, const CompileOptions& options,
                                                 Console& console) {
  ModelOptions host = inputs.options;
  host.codegen = {};
  TARN_TRY(const std::shared_ptr<Model> model, Model::compile(options.file, host, {"init"}, console.sources));
  return std::make_unique<Session>(model, options.seed.value_or(model->program().settings.seed));
}

// Class names are those of the weights; without weights, what the data have.
Status read_class_names(Inputs& inputs, const CompileOptions& options, const Console& console) {
  const Program& program = inputs.program();
  const auto data = program.data.find("");
  std::vector<std::string> unnamed;  // what the data have labels for
  if (data != program.data.end()) {
    for (const DataBinding& binding : data->second.bindings) {
      const bool has_labels = binding.encoding != DataBinding::Encoding::none;
      if (has_labels && inputs.vocabularies.find(binding.name) == nullptr) unnamed.push_back(binding.name);
    }
  }
  if (inputs.session != nullptr) {
    if (!options.data.empty()) console.note("note: class names are those of the weights; --data is not read");
    for (const std::string& name : unnamed)
      console.note(fmt::format("note: no class names for '{}': the weights have none", name));
    return Done{};
  }
  if (unnamed.empty()) {
    if (options.data.empty()) return Done{};
    return error(fmt::format("--data {}: the model has no labels, so that no data are read", options.data.front()));
  }
  Result<Dataset> read = read_dataset(program, inputs.models.front().second->folder(),
                                      {Purpose::train, given_files(options.data)}, inputs.vocabularies);
  if (read) return Done{};
  if (!options.data.empty()) return std::move(read).error();
  console.note(fmt::format("note: no class names: {}", read.error().front().message));
  return Done{};
}

// The class that a label of class_weight is stands in a hyper-parameter, which init does not know from the data.
void note_class_weights(const Inputs& inputs, const Console& console) {
  if (inputs.session != nullptr || !inputs.program().trainable) return;
  const auto classes = weighted_classes(inputs.program(), inputs.vocabularies);
  if (!classes) return;
  for (const auto& [name, number] : *classes) {
    const TensorInfo* const tensor = inputs.program().find_tensor(name);
    if (tensor == nullptr || tensor->initial == static_cast<double>(number)) continue;
    console.note(fmt::format("note: class weights: set '{}' to {} in the state before training", name, number));
  }
}

Result<Inputs> read_inputs(const CompileOptions& options, Console& console) {
  Inputs inputs;
  TARN_TRY(inputs.options, model_options(options));
  inputs.options.codegen.triple = options.target;
  inputs.options.codegen.level = OptimizationLevel::standard;
  std::optional<WeightsFile> weights;
  if (!options.weights.empty()) {
    TARN_TRY(weights, read_weights(options.weights));
    set_constants(inputs.options, *weights);
    inputs.vocabularies = weights->vocabularies;
  }
  for (const std::string& cpu : list_of(inputs.options.codegen.cpu)) {
    ModelOptions version = inputs.options;
    version.codegen.cpu = cpu;
    TARN_TRY(std::shared_ptr<Model> model, Model::compile(options.file, version, {}, console.sources));
    inputs.models.emplace_back(std::move(version), std::move(model));
  }
  console.report(inputs.models.front().second->warnings());
  if (weights) {
    TARN_TRY(inputs.session, initial_session(inputs, options, console));
    TARN_RETURN_IF_ERROR(apply_weights(*inputs.session, *weights));
  } else if (options.functions.empty() || std::ranges::find(options.functions, "init") != options.functions.end()) {
    TARN_TRY(const std::unique_ptr<Session> session, initial_session(inputs, options, console));
    TARN_RETURN_IF_ERROR(check_initial_values(*session));
  }
  TARN_RETURN_IF_ERROR(read_class_names(inputs, options, console));
  note_class_weights(inputs, console);
  return inputs;
}

// One list for each input and target that has names, with as many as its outputs tell apart.
std::vector<ClassNames> class_names(const Program& program, const Vocabularies& vocabularies) {
  std::vector<ClassNames> lists;
  for (const InputInfo& input : program.inputs) {
    std::vector<std::string> names = vocabularies.names(input.name);
    for (const OutputInfo& output : program.outputs) {
      std::vector<std::string> told_apart = class_names_of(program, output, vocabularies);
      if (output.target == input.name && told_apart.size() > names.size()) names = std::move(told_apart);
    }
    if (!names.empty()) lists.push_back({input.name, names, {}});
  }
  return lists;
}

Result<SelfTest> test_of(const CompileOptions& options, const Inputs& inputs, const CompiledModel& compiled) {
  const Program& program = inputs.program();
  SelfTestOptions test;
  test.seed = options.seed.value_or(program.settings.seed);
  if (inputs.session != nullptr) {
    for (const TensorInfo& tensor : compiled.interface.tensors) {
      test.weights[tensor.name] = {tensor.type.shape, inputs.session->tensor(tensor.name).to_doubles()};
    }
  }
  return make_self_test(program, compiled.interface, test);
}

// What is written besides the code: the headers and the self-test, or the JavaScript of a .wasm.
struct TextFile {
  const char* role;  // in the event of --json
  std::string path, text;
};

Result<std::vector<TextFile>> texts_of(const CompileOptions& options, const Inputs& inputs,
                                       const CompiledModel& compiled, const std::string& source) {
  std::vector<TextFile> files;
  if (options.output.ends_with(".wasm")) {
    fs::path path(options.output);
    JsModule module = js_module(compiled.interface, path.filename().string(), source);
    path.replace_extension(".mjs");
    files.push_back({"module", path.string(), std::move(module.code)});
    if (options.test) {
      TARN_TRY(const SelfTest test, test_of(options, inputs, compiled));
      files.push_back({"test", fs::path(path).replace_extension().string() + "_test.mjs",
                       js_program_of(test, compiled.interface, path.filename().string())});
    }
    files.push_back({"declarations", path.replace_extension(".d.mts").string(), std::move(module.declarations)});
    return files;
  }
  const std::string header = header_path(options);
  const std::string name = fs::path(header).filename().string();
  files.push_back({"header", header, compiled.header});
  files.push_back(
      {"cpp_header", fs::path(header).replace_extension(".hpp").string(), cpp_header(compiled.interface, name)});
  if (options.test) {
    TARN_TRY(const SelfTest test, test_of(options, inputs, compiled));
    files.push_back({"test", fs::path(header).replace_extension().string() + "_test.c",
                     c_program_of(test, compiled.interface, name)});
  }
  return files;
}

Status write_code(const CompileOptions& options, const CompiledModel& compiled) {
  if (options.output.ends_with(".so")) return link_shared_library(compiled.code, options.output, options.target);
  if (options.output.ends_with(".wasm")) {
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t stack = (compiled.stack_bytes / kPage + 2) * kPage;
    return link_wasm(compiled.code, options.output, js_functions(compiled.interface), stack);
  }
  return write_file(options.output, compiled.code);
}

Status write_all(const CompileOptions& options, Console& console) {
  TARN_TRY(const CodeFormat format, format_of(options));
  if (fs::path(header_path(options)).extension() == ".hpp")
    return error("--header names the C header; the one for C++ is beside it, and ends in .hpp");
  CommandFiles files(options);
  files.writes("-o", options.output);
  if (!options.output.ends_with(".wasm")) {
    files.writes(options.header.empty() ? "the header" : "--header", header_path(options));
    files.writes("the C++ header", fs::path(header_path(options)).replace_extension(".hpp").string());
  }
  TARN_RETURN_IF_ERROR(files.check());
  TARN_TRY(const Inputs inputs, read_inputs(options, console));
  const Program& program = inputs.program();
  CompiledModelOptions compile;
  compile.interface.prefix = options.prefix;
  compile.interface.functions = options.functions;
  compile.interface.class_names = class_names(program, inputs.vocabularies);
  compile.interface.bake_weights = inputs.session != nullptr;
  compile.interface.threads = std::max(options.threads, 1);
  if (inputs.session != nullptr) compile.weights = inputs.session->state();
  compile.source = fmt::format("tarn {} from {}", TARN_VERSION, fs::path(options.file).filename().string());
  std::vector<CpuVersion> versions;
  std::vector<ProgramPlan> baked;
  baked.reserve(inputs.models.size());  // versions point to them
  for (const auto& [version, model] : inputs.models) {
    versions.push_back({version.codegen, &model->plan()});
    if (!compile.interface.bake_weights) continue;
    TARN_TRY(const Target target, target_of(version.codegen));
    versions.back().plan = &baked.emplace_back(with_baked_weights(program, model->plan(), target));
  }
  TARN_TRY(const CompiledModel compiled, compile_model(program, versions, compile, format));
  TARN_TRY(const std::vector<TextFile> texts, texts_of(options, inputs, compiled, compile.source));

  // Asked of all before the first is written.
  files = CommandFiles(options);
  files.reads(program, inputs.models.front().second->folder(), console.sources);
  files.writes("-o", options.output);
  for (const TextFile& file : texts)
    files.writes(file.path == options.header ? "--header" : fmt::format("the {}", file.role), file.path);
  TARN_RETURN_IF_ERROR(files.check());
  TARN_RETURN_IF_ERROR(can_be_written(options.output));
  for (const TextFile& file : texts) TARN_RETURN_IF_ERROR(can_be_written(file.path));
  TARN_RETURN_IF_ERROR(write_code(options, compiled));
  nlohmann::ordered_json event{{"event", "written"}, {"output", options.output}};
  std::string others;
  for (const TextFile& file : texts) {
    TARN_RETURN_IF_ERROR(write_file(file.path, file.text));
    event[file.role] = file.path;
    others += ", " + file.path;
  }
  event["bytes"] = fs::file_size(options.output);
  if (console.json()) {
    console.event(event);
  } else {
    console.note(fmt::format("{} ({} bytes){}", options.output, fs::file_size(options.output), others));
  }
  return Done{};
}

int compile(const CompileOptions& options) {
  Console console(options);
  if (!options.target.empty()) enable_other_machines();
  Status written = write_all(options, console);
  return written ? kDone : console.report(written.error());
}

}  // namespace

void add_compile(CommandLine& line) {
  auto options = std::make_shared<CompileOptions>();
  Command command = line.command(
      "compile",
      "ahead of time: an object file, archive, shared library, assembly, LLVM IR or WebAssembly, with a C header");
  add_model_options(command, *options);
  options->threads = 1;
  command.option("--threads", &options->threads, "threads of the program's that training can be shared among")
      .between(1, 1024);
  command
      .option("-o,--output", &options->output,
              "OUT.o, OUT.a, OUT.so, OUT.s, OUT.ll or OUT.bc, with OUT.h and OUT.hpp; OUT.wasm with OUT.mjs")
      .required();
  command.option("--header", &options->header, "where the header goes instead").names_a_file();
  command
      .option("--functions", &options->functions,
              "which to make: init, predict, pack, train, evaluate, adapt; default: all that the model has")
      .separated_by_commas();
  command.option("--prefix", &options->prefix, "what the names of functions begin with; default: the model's name");
  command
      .option("--weights", &options->weights,
              "safetensors or npz to build in as constants: prediction then takes no state")
      .names_a_file();
  command.option("--data", &options->data, "PATH or NAME=PATH: a file of class names instead of the model's")
      .one_value_each();
  command.option("--target", &options->target, "triple of the machine to make code for; default: this one");
  command.flag("--test", options->test,
               "also OUT_test.c (for a .wasm OUT_test.mjs): a program that checks the compiled model where it runs");
  command.runs([options] { return compile(*options); });
}

}  // namespace tarn
