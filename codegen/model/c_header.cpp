// The text of the header: what users read instead of the code. See c_header.h.
#include "codegen/model/c_header.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/joined.h"

namespace tarn {

namespace {

// Text that may hold what the user wrote, made fit for a comment.
std::string in_c_comment(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ends_comment = i > 0 && (text.substr(i - 1, 2) == "*/" || text.substr(i - 1, 2) == "/*");
    if (ends_comment || static_cast<unsigned char>(text[i]) < ' ' || text[i] == '\\') text[i] = ' ';
  }
  return text;
}

class HeaderWriter {
 public:
  HeaderWriter(const ModelInterface& interface, const HeaderOrigin& origin) : api_(interface), origin_(origin) {}

  std::string write() {
    opening();
    array_macros();
    size_macros();
    if (api_.has_state()) types();
    put("\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n");
    memory_functions();
    predict_functions();
    training_functions();
    table_functions();
    put("\n#ifdef __cplusplus\n}}\n#endif\n\n#endif\n");
    return std::move(text_);
  }

 private:
  template <class... Arguments>
  void put(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }
  const std::string& name() const { return api_.prefix; }
  const std::string& macro() const { return api_.macro_prefix; }
  std::string real() const { return c_type(api_.real); }

  void opening();
  void array_macros();
  void size_macros();
  void types();
  void memory_functions();
  void predict_functions();
  void training_functions();
  void table_functions();
  std::string parameters(const std::vector<InterfaceArray>& arrays, bool written) const;
  std::string samples_of_training() const { return parameters(api_.inputs, false) + parameters(api_.targets, false); }

  const ModelInterface& api_;
  const HeaderOrigin& origin_;
  std::string text_;
};

void HeaderWriter::opening() {
  put("/* Model '{}', compiled by {}\n", api_.model, in_c_comment(origin_.source));
  put(" * for {}, CPU {}: do not run it on a machine that lacks features of that CPU.\n *\n",
      in_c_comment(origin_.triple), in_c_comment(origin_.cpu));
  if (!origin_.levels.empty()) {
    put(" * Which of the code for {} runs is chosen when it is loaded.\n *\n", joined(origin_.levels, ", "));
  }
  put(" * Memory is the caller's. {} of {}_ALIGNMENT; arrays of samples\n"
      " * need the alignment of their elements only. Nothing is allocated, and no pointer is kept after a call.\n",
      api_.has_state() ? "State and workspace begin at multiples" : "The workspace begins at a multiple", macro());
  put(" * A workspace holds nothing between calls: any memory will do, and one workspace serves one call at a time.\n "
      "*\n");
  put(" * Threads: there is no global state. Calls may run at the same time if their workspaces differ");
  put("{}.\n", api_.has_state() ? "; of calls\n * with the same state, none may write it (init, train_step, "
                                  "train_epoch, adapt) while another runs"
                                : "");
  if (origin_.triple.starts_with("thumb") || origin_.triple.starts_with("arm")) {
    put(" * Where the machine has no double precision, functions of its ABI are called (__aeabi_dadd and others), "
        "which come\n"
        " * with every compiler for it, and at most sqrt of libm.\n");
  }
  put(" * Stack: no function takes more than {} bytes, those of the functions it calls included.\n *\n",
      origin_.stack_bytes);
  put(" * Samples lie one behind the other, each in row-major order:\n");
  const auto list = [&](const char* role, const std::vector<InterfaceArray>& arrays) {
    for (const InterfaceArray& array : arrays) {
      std::string shape;
      for (std::int64_t extent : array.type.shape) shape += fmt::format("[{}]", extent);
      put(" *   {:<8}{} {}[samples]{}", role, c_type(array.type.dtype), array.parameter, shape);
      if (array.values.kind != ValueRange::Kind::any) put(", each {}", array.values.wanted());
      for (std::size_t i = 0; i < array.ranges.size(); ++i) {
        if (array.ranges[i].kind != ValueRange::Kind::any) put(", element {} {}", i, array.ranges[i].wanted());
      }
      put("\n");
    }
  };
  list("input", api_.inputs);
  if (api_.has_train || api_.has_evaluate) list("target", api_.targets);
  list("output", api_.outputs);
  put(" * Scaling and class numbers of the `data` block are the caller's business: pass what the model's inputs are.\n"
      " * Nothing looks at the values: what is not finite gives results that are not; but what is no class or index\n"
      " * of those above, NaN among it, counts as none of them or as the nearest. */\n");
  put("#ifndef {0}_H\n#define {0}_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n", macro());
}

void HeaderWriter::array_macros() {
  put("/* Elements of one sample, number of dimensions, and each of them. */\n");
  for (const auto* group : {&api_.inputs, &api_.targets, &api_.outputs}) {
    if (group == &api_.targets && !api_.has_train && !api_.has_evaluate) continue;
    for (const InterfaceArray& array : *group) {
      put("#define {}_SIZE {}\n#define {}_RANK {}\n", array.macro, array.elements, array.macro,
          array.type.shape.size());
      for (std::size_t i = 0; i < array.type.shape.size(); ++i) {
        put("#define {}_DIM_{} {}\n", array.macro, i, array.type.shape[i]);
      }
    }
  }
}

void HeaderWriter::size_macros() {
  put("\n/* Samples that are computed at a time; the most that a training step takes. */\n#define {}_BATCH {}\n",
      macro(), api_.batch);
  put("#define {}_ALIGNMENT {}\n", macro(), kAlignment);
  if (api_.has_state()) {
    put("\n/* A state: a header of 64 bytes, then parameters, states of layers, slots of the optimizer, "
        "hyper-parameters and\n"
        " * counters as plain row-major tensors (see {}_tensors), without pointers, in native byte order: it may be\n"
        " * copied, and written to a file as it is. */\n",
        name());
    if (api_.state_bytes > api_.init_scratch) {
      put("/* The last {} bytes are temporaries of {}_init. */\n", api_.state_bytes - api_.init_scratch, name());
    }
    put("#define {}_STATE_BYTES {}\n", macro(), api_.state_bytes);
    if (api_.has_pack) {
      put("/* Weights for prediction alone; see {0}_pack. */\n#define {1}_PACKED_BYTES {2}\n", name(), macro(),
          api_.packed_bytes);
    }
    put("/* Hash of the tensor table; stands in the header of a state. */\n#define {}_LAYOUT UINT64_C(0x{:016x})\n",
        macro(), api_.layout);
  }
  put("/* Bytes of workspace for any function, and for {}_predict alone. */\n", name());
  put("#define {}_WORKSPACE_BYTES {}\n", macro(), api_.workspace_bytes);
  put("#define {}_PREDICT_WORKSPACE_BYTES {}\n", macro(), api_.predict_workspace_bytes);
  if (api_.has_train) {
    put("/* Threads that {}_train_epoch can be shared among: `--threads` of the compiler, or 1 where that would not "
        "pay. "
        "*/\n#define {}_THREADS {}\n",
        name(), macro(), api_.threads);
  }
  if (!api_.has_train && !api_.has_evaluate) return;
  put("\n/* Numbers that `metrics` has room for:");
  for (const MetricInfo& metric : api_.metrics) {
    put(" {}{}{}", in_c_comment(metric.name), metric.shape.empty() ? "" : " ",
        metric.shape.empty() ? "" : to_string(metric.shape));
  }
  put("{}. */\n#define {}_METRICS {}\n", api_.metrics.empty() ? " none" : "", macro(), api_.metric_count);
}

void HeaderWriter::types() {
  put(R"(
/* What {0}_check answers. */
#define {1}_GOOD 0
#define {2} 1      /* NULL, or fewer bytes than there must be */
#define {1}_WRONG_ALIGNMENT 2 /* not a multiple of {1}_ALIGNMENT */
#define {1}_WRONG_LAYOUT 3    /* never set up by {0}_init, or a state of another model */

/* What a tensor of the state is. */
enum {{
  {1}_KIND_PARAMETER = 0, /* trained */
  {1}_KIND_STATE = 1,     /* of a layer, such as a moving mean */
  {1}_KIND_SLOT = 2,      /* memory of the optimizer */
  {1}_KIND_HYPER = 3,     /* hyper-parameter, such as optimizer.lr: may be set between calls */
  {1}_KIND_COUNTER = 4    /* steps and epochs done */
}};
enum {{ {1}_TYPE_F32 = 0, {1}_TYPE_F64 = 1, {1}_TYPE_I32 = 2, {1}_TYPE_BOOL = 3 }};

/* A tensor of the state, at `offset` bytes from its start, `bytes` long, in row-major order. */
typedef struct {0}_tensor_info {{
  const char* name;
  const uint64_t* shape; /* `rank` extents; NULL for a scalar */
  uint64_t offset;
  uint64_t bytes;
  uint32_t rank;
  uint32_t kind; /* {1}_KIND_... */
  uint32_t type; /* {1}_TYPE_... */
  uint32_t reserved;
}} {0}_tensor_info;
)",
      name(), macro(), api_.wrong_size);
  if (!api_.has_train) return;
  put(R"(
/* Shared with whoever watches an epoch from another thread or a signal handler. Start from zeros: {0}_control c = {{0}}; */
typedef struct {0}_control {{
  volatile int32_t stop;          /* set to 1: the epoch ends before its next batch */
  int32_t threads;                /* that parallel_for has, at most {1}_THREADS; 0: it is not called */
  volatile uint64_t batches_done; /* set to 0 at the start, counted up after every batch */
  uint64_t reserved;              /* 0 */
  /* Calls body(argument, i) for every i below count, in any order, on any threads, and returns when all have returned.
   * NULL: all is done on the thread of the caller. The results are the same. */
  void (*parallel_for)(void* context, size_t count, void (*body)(void* argument, size_t i), void* argument);
  void* context;
}} {0}_control;
)",
      name(), macro());
}

std::string HeaderWriter::parameters(const std::vector<InterfaceArray>& arrays, bool written) const {
  std::string list;
  for (const InterfaceArray& array : arrays) {
    list += fmt::format(", {}{}* {}", written ? "" : "const ", c_type(array.type.dtype), array.parameter);
  }
  return list;
}

void HeaderWriter::memory_functions() {
  put("\n/* The sizes above, for programs that load the code at run time. */\n");
  if (api_.has_state()) put("size_t {}_state_bytes(void);\n", name());
  put("size_t {}_workspace_bytes(void);\n", name());
  if (api_.has_pack) put("size_t {}_packed_bytes(void);\n", name());
  if (!api_.has_state()) return;
  put("\n/* Whether `bytes` bytes at `state` are a state of this model: {1}_GOOD, or {1}_WRONG_... The other functions "
      "do not\n"
      " * check: call this once for a state that comes from elsewhere. It may be called with any pointer and size. */\n"
      "int {0}_check(const void* state, size_t bytes);\n",
      name(), macro());
  if (api_.has_pack) {
    put("/* The same of {1}_PACKED_BYTES that {0}_pack has written. */\n"
        "int {0}_check_packed(const void* packed, size_t bytes);\n",
        name(), macro());
  }
  if (!api_.has_init) return;
  put("\n/* Makes {1}_STATE_BYTES at `state` a state with initial weights: the same seed gives the same weights, and "
      "the same\n"
      " * random numbers in training. */\n"
      "void {0}_init(void* state, uint64_t seed);\n",
      name(), macro());
}

void HeaderWriter::predict_functions() {
  const std::string arrays = parameters(api_.inputs, false) + parameters(api_.outputs, true);
  if (api_.has_predict) {
    put("\n/* Outputs for any number of samples. Inputs and outputs must not overlap.{}\n"
        " * The workspace needs {}_PREDICT_WORKSPACE_BYTES. */\n",
        api_.is_baked ? " The weights are part of the code." : "", macro());
    put("void {}_predict({}void* workspace{}, size_t samples);\n", name(),
        api_.has_state() ? "const void* state, " : "", arrays);
  }
  if (!api_.has_pack) return;
  put("\n/* Weights for prediction alone, in {1}_PACKED_BYTES at `packed`, aligned as a state: for programs that "
      "predict with\n"
      " * one set of weights on many threads while another is being trained. {0}_predict_packed gives what\n"
      " * {0}_predict gives for the state, faster where weights are large: pack them once for many calls. The\n"
      " * two blocks must not overlap, and `packed` is no state. */\n"
      "void {0}_pack(const void* state, void* packed);\n"
      "void {0}_predict_packed(const void* packed, void* workspace{2}, size_t samples);\n",
      name(), macro(), arrays);
}

void HeaderWriter::training_functions() {
  const std::string arrays = samples_of_training();
  if (api_.has_adapt) {
    put("\n/* Sets what layers learn from all rows of the data, such as the mean of a normalization. Once, before the "
        "first\n"
        " * epoch. Returns 0, or 1 where one of these would be NaN or infinite: it keeps its old value then. */\n"
        "int {}_adapt(void* state, void* workspace{}, size_t rows);\n",
        name(), parameters(api_.inputs, false));
  }
  if (api_.has_train) {
    put("\n/* One step of the optimizer on 1 to {1}_BATCH samples; returns their mean loss before the step. NaN for "
        "another\n"
        " * number of samples, or where the loss is not finite, or a new value of the state, such as a weight: nothing "
        "of\n"
        " * that is stored, and training had better end. */\n"
        "{2} {0}_train_step(void* state, void* workspace{3}, size_t samples);\n",
        name(), macro(), real(), arrays);
    put("\n/* A step for every {1}_BATCH of `rows` rows (the last batch may have fewer), in the order of the row "
        "numbers in\n"
        " * `order`, or as they stand where it is NULL. Returns the mean loss, and in `metrics`, unless it is NULL, "
        "{1}_METRICS\n"
        " * numbers, taken before each step. Where the loss of a batch or what its step would store is not finite, "
        "nothing of\n"
        " * that is stored, and NaN is returned; `control->batches_done` counts the batches before it. After a stop, "
        "results\n"
        " * are those of the batches done. `control` may be NULL. */\n"
        "{2} {0}_train_epoch(void* state, void* workspace{3}, const uint32_t* order, size_t rows, {2}* metrics, "
        "{0}_control* control);\n",
        name(), macro(), real(), arrays);
  }
  if (api_.has_finish) {
    put("\n/* Ends training: the weights become the running means that `ema` has gathered, if there was an update. "
        "Training\n"
        " * may go on from there. */\n"
        "void {}_finish_training(void* state);\n",
        name());
  }
  if (api_.has_evaluate) {
    put("\n/* Mean loss of any number of samples (NaN of none), and in `metrics`, unless it is NULL, {1}_METRICS "
        "numbers. */\n"
        "{2} {0}_evaluate(const void* state, void* workspace{3}, size_t samples, {2}* metrics);\n",
        name(), macro(), real(), arrays);
  }
}

void HeaderWriter::table_functions() {
  if (api_.has_state()) {
    put("\n/* The tensors of a state, {1} of them: read and set any weight, or optimizer.lr. `count` may be NULL. */\n"
        "const {0}_tensor_info* {0}_tensors(size_t* count);\n",
        name(), api_.tensors.size());
  }
  put("\n/* The names of the classes in the order of their numbers, in UTF-8; NULL and a count of 0 where there are "
      "none.{} */\n"
      "const char* const* {}_class_names(size_t* count);\n",
      api_.listed_classes().empty() ? "" : "\n * They are those of the first target that has any.", name());
  for (const ClassNames& list : api_.listed_classes()) {
    put("/* Those of '{}'{}. */\nconst char* const* {}_class_names_{}(size_t* count);\n", list.array,
        list.outputs.empty() ? "" : fmt::format(", which '{}' is compared with", joined(list.outputs, "', '")), name(),
        list.array);
  }
}

}  // namespace

std::string c_header(const ModelInterface& interface, const HeaderOrigin& origin) {
  return HeaderWriter(interface, origin).write();
}

}  // namespace tarn
