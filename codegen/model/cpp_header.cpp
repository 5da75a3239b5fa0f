// The text of the C++ header. See cpp_header.h.
#include "codegen/model/cpp_header.h"

#include <fmt/format.h>

#include <vector>

namespace tarn {

namespace {

// Memory of the model's alignment, and the number of samples that some arrays hold; in a namespace named after the
// model, so that headers of several models go together.
constexpr const char* kDetails = R"(
namespace {0}_details {{

struct free_memory {{
  void operator()(std::byte* memory) const noexcept {{ ::operator delete(memory, std::align_val_t{{{1}_ALIGNMENT}}); }}
}};
using memory = std::unique_ptr<std::byte[], free_memory>;
inline memory allocate(std::size_t bytes) {{
  return memory(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{{{1}_ALIGNMENT}})));
}}
inline memory copy_of(const void* block, std::size_t bytes) {{
  memory copy = allocate(bytes);
  std::memcpy(copy.get(), block, bytes);
  return copy;
}}

// Samples in an array of `size` elements; all arrays of a call must hold equally many.
class sample_count {{
 public:
  sample_count& add(std::size_t size, std::size_t elements_of_one, const char* array) {{
    if (elements_of_one == 0 && size == 0) return *this;
    const std::size_t samples = elements_of_one == 0 ? 0 : size / elements_of_one;
    if (samples * elements_of_one != size || (known_ && samples != samples_)) {{
      throw std::invalid_argument(std::string("{0}: the length of '") + array + "' does not fit the other arrays");
    }}
    samples_ = samples;
    known_ = true;
    return *this;
  }}
  std::size_t get() const {{ return samples_; }}

 private:
  std::size_t samples_ = 0;
  bool known_ = false;
}};

}}  // namespace {0}_details
)";

class CppHeaderWriter {
 public:
  CppHeaderWriter(const ModelInterface& interface, const std::string& c_header)
      : api_(interface), c_header_(c_header) {}

  std::string write() {
    put("// Model '{}' for C++20: a class that owns its memory, around the functions of {}, which says what they do.\n"
        "// Arrays hold whole samples, one behind the other; where lengths do not fit, std::invalid_argument is "
        "thrown.\n"
        "// An object serves one thread at a time; one that was moved from can only be assigned to.\n",
        api_.model, c_header_);
    put("#ifndef {0}_HPP\n#define {0}_HPP\n\n#include <cstddef>\n#include <cstdint>\n#include <cstring>\n#include "
        "<memory>\n"
        "#include <new>\n#include <span>\n#include <stdexcept>\n#include <string>\n#include <string_view>\n#include "
        "<type_traits>\n#include <utility>\n\n"
        "#include \"{1}\"\n",
        api_.macro_prefix, c_header_);
    put(kDetails, api_.prefix, api_.macro_prefix);
    if (api_.has_pack) packed_class();
    model_class();
    put("\n#endif\n");
    return std::move(text_);
  }

 private:
  using Groups = std::vector<const std::vector<InterfaceArray>*>;
  template <class... Arguments>
  void put(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }
  void packed_class();
  void model_class();
  void named_classes();
  void state_members();
  void training_members();
  void predict_member(const char* function, const char* block);
  std::string parameters(const Groups& groups) const;
  std::string arguments(const Groups& groups) const;
  std::string count(const Groups& groups) const;

  const ModelInterface& api_;
  const std::string& c_header_;
  std::string text_;
};

std::string CppHeaderWriter::parameters(const Groups& groups) const {
  std::string list;
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) {
      const bool written = group == &api_.outputs;
      list += fmt::format("{}std::span<{}{}> {}", list.empty() ? "" : ", ", written ? "" : "const ",
                          c_type(array.type.dtype), array.parameter);
    }
  }
  return list;
}

std::string CppHeaderWriter::arguments(const Groups& groups) const {
  std::string list;
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) list += fmt::format(", {}.data()", array.parameter);
  }
  return list;
}

std::string CppHeaderWriter::count(const Groups& groups) const {
  std::string text = fmt::format("{}_details::sample_count()", api_.prefix);
  for (const auto* group : groups) {
    for (const InterfaceArray& array : *group) {
      text += fmt::format(".add({0}.size(), {1}_SIZE, \"{0}\")", array.parameter, array.macro);
    }
  }
  return text + ".get()";
}

void CppHeaderWriter::predict_member(const char* function, const char* block) {
  const Groups groups = {&api_.inputs, &api_.outputs};
  put("  void predict({}) {{\n    const std::size_t count = {};\n", parameters(groups), count(groups));
  put("    {}_{}({}this->workspace_.get(){}, count);\n  }}\n", api_.prefix, function, block, arguments(groups));
}

void CppHeaderWriter::packed_class() {
  put(R"(
// Weights for prediction alone. Copy one for each thread that predicts.
class {0}_packed {{
 public:
  explicit {0}_packed(const void* state)
      : packed_({0}_details::allocate({1}_PACKED_BYTES)),
        workspace_({0}_details::allocate({1}_PREDICT_WORKSPACE_BYTES)) {{
    if ({0}_check(state, {1}_STATE_BYTES) != {1}_GOOD) throw std::invalid_argument("{0}: no state of this model");
    {0}_pack(state, packed_.get());
  }}
  {0}_packed({0}_packed&&) noexcept = default;
  {0}_packed& operator=({0}_packed&&) noexcept = default;
  {0}_packed(const {0}_packed& other)
      : packed_({0}_details::copy_of(other.packed_.get(), {1}_PACKED_BYTES)),
        workspace_({0}_details::allocate({1}_PREDICT_WORKSPACE_BYTES)) {{}}
  {0}_packed& operator=(const {0}_packed& other) {{ return *this = {0}_packed(other); }}

)",
      api_.prefix, api_.macro_prefix);
  predict_member("predict_packed", "this->packed_.get(), ");
  put("\n private:\n  {0}_details::memory packed_, workspace_;\n}};\n", api_.prefix);
}

void CppHeaderWriter::state_members() {
  if (api_.has_init) {
    put("  // Initial weights.\n  explicit {0}_model(std::uint64_t seed) : {0}_model() {{ {0}_init(state_.get(), "
        "seed); }}\n",
        api_.prefix);
  }
  put(R"(  // A state of before, such as one read from a file.
  explicit {0}_model(std::span<const std::byte> state) : {0}_model() {{ set_state(state); }}
  {0}_model({0}_model&&) noexcept = default;
  {0}_model& operator=({0}_model&&) noexcept = default;
  {0}_model(const {0}_model& other) : {0}_model() {{ std::memcpy(state_.get(), other.state_.get(), {1}_STATE_BYTES); }}
  {0}_model& operator=(const {0}_model& other) {{ return *this = {0}_model(other); }}

  // All that the model knows: may be written to a file as it is.
  std::span<const std::byte> state() const {{ return {{state_.get(), {1}_STATE_BYTES}}; }}
  void set_state(std::span<const std::byte> state) {{
    if (state.size() != {1}_STATE_BYTES) throw std::invalid_argument("{0}: a state of another size");
    auto copy = {0}_details::copy_of(state.data(), state.size());
    if ({0}_check(copy.get(), state.size()) != {1}_GOOD) throw std::invalid_argument("{0}: a state of another model");
    state_ = std::move(copy);
  }}

  static std::span<const {0}_tensor_info> tensors() {{
    std::size_t count = 0;
    const {0}_tensor_info* const first = {0}_tensors(&count);
    return {{first, count}};
  }}
  // The elements of a tensor, to be read and set: float for parameters, double for hyper-parameters and counters.
  template <class T>
  std::span<T> tensor(std::string_view name) {{
    for (const {0}_tensor_info& info : tensors()) {{
      if (info.name != name) continue;
      if (info.type != type_of<T>()) throw std::invalid_argument("{0}: '" + std::string(name) + "' has another type");
      return {{reinterpret_cast<T*>(state_.get() + info.offset), static_cast<std::size_t>(info.bytes / sizeof(T))}};
    }}
    throw std::invalid_argument("{0}: there is no tensor '" + std::string(name) + "'");
  }}

)",
      api_.prefix, api_.macro_prefix);
  if (api_.has_pack) put("  {0}_packed packed() const {{ return {0}_packed(state_.get()); }}\n", api_.prefix);
}

void CppHeaderWriter::training_members() {
  const Groups groups = {&api_.inputs, &api_.targets};
  const std::string list = parameters(groups), real = c_type(api_.real);
  const std::string check_metrics =
      api_.metric_count == 0
          ? ""
          : fmt::format(
                "    if (!metrics.empty() && metrics.size() < {1}_METRICS) throw std::invalid_argument(\"{0}: too few "
                "metrics\");\n",
                api_.prefix, api_.macro_prefix);
  if (api_.has_adapt) {
    put("  // False where what is learned would not be finite: the old values are kept then.\n"
        "  bool adapt({}) {{\n    const std::size_t count = {};\n",
        parameters({&api_.inputs}), count({&api_.inputs}));
    put("    return {}_adapt(this->state_.get(), this->workspace_.get(){}, count) == 0;\n  }}\n", api_.prefix,
        arguments({&api_.inputs}));
  }
  if (api_.has_train) {
    put("  {} train_step({}) {{\n    const std::size_t count = {};\n", real, list, count(groups));
    put("    return {}_train_step(this->state_.get(), this->workspace_.get(){}, count);\n  }}\n", api_.prefix,
        arguments(groups));
    put("  // Rows in the order of the numbers in `order`, or as they stand where it is empty.\n"
        "  {0} train_epoch({1}, std::span<const std::uint32_t> order = {{}}, std::span<{0}> metrics = {{}},\n"
        "      {2}_control* control = nullptr) {{\n    const std::size_t count = {3};\n{4}"
        "    for (const std::uint32_t row : order) {{\n"
        "      if (row >= count) throw std::invalid_argument(\"{2}: a row number that is too large\");\n    }}\n",
        real, list, api_.prefix, count(groups), check_metrics);
    put("    return {}_train_epoch(this->state_.get(), this->workspace_.get(){}, order.empty() ? nullptr : "
        "order.data(),\n"
        "        order.empty() ? count : order.size(), metrics.empty() ? nullptr : metrics.data(), control);\n  }}\n",
        api_.prefix, arguments(groups));
  }
  if (api_.has_finish) put("  void finish_training() {{ {0}_finish_training(this->state_.get()); }}\n", api_.prefix);
  if (api_.has_evaluate) {
    put("  {0} evaluate({1}, std::span<{0}> metrics = {{}}) {{\n    const std::size_t count = {2};\n{3}", real, list,
        count(groups), check_metrics);
    put("    return {}_evaluate(this->state_.get(), this->workspace_.get(){}, count,\n"
        "        metrics.empty() ? nullptr : metrics.data());\n  }}\n",
        api_.prefix, arguments(groups));
  }
}

void CppHeaderWriter::named_classes() {
  if (api_.listed_classes().empty()) return;
  put("  // Those of an input or target, or of what an output is compared with, by its name.\n"
      "  static std::span<const char* const> class_names(std::string_view of) {{\n"
      "    std::size_t count = 0;\n    const char* const* first = nullptr;\n");
  for (const ClassNames& list : api_.listed_classes()) {
    std::string condition = fmt::format("of == \"{}\"", list.array);
    for (const std::string& output : list.outputs) condition += fmt::format(" || of == \"{}\"", output);
    put("    if ({}) first = {}_class_names_{}(&count);\n", condition, api_.prefix, list.array);
  }
  put("    return {{first, count}};\n  }}\n");
}

void CppHeaderWriter::model_class() {
  put("\nclass {}_model {{\n public:\n", api_.prefix);
  if (api_.has_state()) {
    state_members();
  } else {
    put("  {0}_model() : workspace_({0}_details::allocate({1}_WORKSPACE_BYTES)) {{}}\n\n", api_.prefix,
        api_.macro_prefix);
  }
  if (api_.has_predict) predict_member("predict", api_.has_state() ? "this->state_.get(), " : "");
  training_members();
  put(R"(  // The names of the classes by number; empty where there are none.
  static std::span<const char* const> class_names() {{
    std::size_t count = 0;
    const char* const* const first = {0}_class_names(&count);
    return {{first, count}};
  }}
)",
      api_.prefix);
  named_classes();
  put("\n private:\n");
  if (api_.has_state()) {
    put(R"(  {0}_model()
      : state_({0}_details::allocate({1}_STATE_BYTES)), workspace_({0}_details::allocate({1}_WORKSPACE_BYTES)) {{}}
  template <class T>
  static constexpr std::uint32_t type_of() {{
    if constexpr (std::is_same_v<T, float>) return {1}_TYPE_F32;
    if constexpr (std::is_same_v<T, double>) return {1}_TYPE_F64;
    if constexpr (std::is_same_v<T, std::int32_t>) return {1}_TYPE_I32;
    return {1}_TYPE_BOOL;
  }}
  {0}_details::memory state_;
)",
        api_.prefix, api_.macro_prefix);
  }
  put("  {0}_details::memory workspace_;\n}};\n", api_.prefix);
}

}  // namespace

std::string cpp_header(const ModelInterface& interface, const std::string& c_header) {
  return CppHeaderWriter(interface, c_header).write();
}

}  // namespace tarn
