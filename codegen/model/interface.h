// The C interface of a compiled model: what it is called, what it takes, and how much memory it wants. The functions,
// the header and the self-test of a compiled model are all made from this one description.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/program/workspace.h"
#include "ir/program.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// An input, target, sample weight or output as a parameter of the C functions.
struct InterfaceArray {
  std::string name;           // in the model
  std::string parameter;      // in C: the name, unless that is a keyword of C or C++ or taken
  std::string macro;          // "IRIS_X": what stands before _SIZE
  Type type;                  // of one sample
  std::size_t index = 0;      // in Program::inputs or Program::outputs
  std::int64_t elements = 1;  // of one sample
  ValueRange values;
  std::vector<ValueRange> ranges = {};  // of each element, where they differ

  const ValueRange& range_of(std::size_t element) const { return ranges.empty() ? values : ranges[element]; }
};

// The names of the classes of an input or target, by number, and the outputs that are compared with it.
struct ClassNames {
  std::string array;
  std::vector<std::string> names;
  std::vector<std::string> outputs;
};

struct ModelInterface {
  std::string model, prefix, macro_prefix;
  // What NAME_check answers for too few bytes: NAME_WRONG_SIZE, unless that is the size of an array.
  std::string wrong_size;
  std::vector<InterfaceArray> inputs;   // of predict
  std::vector<InterfaceArray> targets;  // and sample weights: what training takes besides
  std::vector<InterfaceArray> outputs;
  bool has_init = false, has_predict = false, has_train = false, has_evaluate = false, has_adapt = false;
  bool has_pack = false;
  bool has_finish = false;  // training ends with `ema`: the weights become their running means
  bool is_baked = false;    // weights are constants of the code: predict takes no state
  DType real = DType::f32;  // of losses and metrics
  std::int64_t batch = 1;
  int threads = 1;  // that training can be shared among
  std::uint64_t state_bytes = 0;
  // Where the temporaries of init lie: behind the tensors of the state, since init is given no workspace.
  std::uint64_t init_scratch = 0;
  // Of packed weights: as the plan says, or else, since what prediction reads stands at the start of a state, of that.
  std::uint64_t packed_bytes = 0;
  std::uint64_t workspace_bytes = 0, predict_workspace_bytes = 0;
  std::uint64_t metric_values = 0;  // of the loss, then of every metric: f64, at this place in the workspace
  std::uint64_t layout = 0;
  std::vector<MetricInfo> metrics;       // without the loss
  std::int64_t metric_count = 0;         // numbers that they have together
  std::vector<TensorInfo> tensors;       // of the state
  std::vector<std::string> class_names;  // of the first target that has any
  // One for each input and target that has names; NAME_class_names_ARRAY gives them, but where there is no other than
  // that of NAME_class_names.
  std::vector<ClassNames> class_lists;

  bool has_state() const { return !is_baked; }
  // The lists with a function of their own.
  std::vector<ClassNames> listed_classes() const;
};

// "float", "double", "int32_t", "uint8_t".
std::string c_type(DType dtype);

// What --functions may name, in the order of the header.
const std::vector<std::string>& interface_functions();

struct InterfaceRequest {
  std::string prefix;                   // a C identifier; empty: the model's name
  std::vector<std::string> functions;   // of interface_functions(); empty: all that the program has
  std::vector<ClassNames> class_names;  // by inputs and targets; without outputs
  bool bake_weights = false;
  int threads = 1;  // to share training among, where it is worth it
};

// Errors: a prefix that is no identifier, functions that do not exist or that the program has no graph for, functions
// other than predict where weights are baked in.
Result<ModelInterface> model_interface(const Program& program, const ProgramPlan& plan, const Target& target,
                                       const InterfaceRequest& request);

// The graphs that the functions of the interface run.
std::vector<std::string> graphs_of(const ModelInterface& interface, const ProgramPlan& plan);

}  // namespace tarn
