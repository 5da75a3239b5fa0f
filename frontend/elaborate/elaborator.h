// The elaborator: evaluates a file of Tarn and leaves graphs behind.
//
// One Elaborator is one compilation. Its methods are grouped by file: errors.cpp, expressions.cpp, operators.cpp,
// tensors.cpp, indexing.cpp, calls.cpp, statements.cpp, variables.cpp; frontend/builtins use the public ones, as do the
// model (frontend/model.cpp), the train block (frontend/train) and the data blocks (frontend/data_block.cpp).
//
// The model is elaborated once for each graph (train, evaluate, predict), so everything that decides about names,
// streams and shapes must come out the same each time; Instance (scope.h) sees to the names, and declare_tensor checks
// the rest.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "frontend/elaborate/keras_words.h"
#include "frontend/elaborate/options.h"
#include "frontend/elaborate/scope.h"
#include "frontend/elaborate/values.h"
#include "ir/builder.h"
#include "ir/diagnostics.h"
#include "ir/program.h"

namespace tarn::elaboration {

// A graph while it is built, and what the language allows in it.
struct GraphContext {
  GraphContext(std::string graph_name, std::uint32_t graph_number, std::shared_ptr<Locations> locations, DType type)
      : name(std::move(graph_name)),
        number(graph_number),
        graph(std::move(locations)),
        builder(graph),
        float_type(type) {}
  GraphContext(const GraphContext&) = delete;
  GraphContext& operator=(const GraphContext&) = delete;

  std::string name;
  std::uint32_t number;
  Graph graph;
  Builder builder;
  DType float_type;                                      // of literals and draws that meet no other type
  bool training = false;                                 // the compile-time constant `training`
  bool across_samples = false;                           // batch_sum and its kin are allowed
  bool has_objective = false;                            // regularizers and penalties are wanted
  bool updates_states = false;                           // `<-` of layers' states is stored
  bool adapts = false;                                   // `adapt` blocks are run
  bool report = false;                                   // metrics are read, not updated
  bool per_step_draws = false;                           // initializers and optimizers: one draw a step
  std::string draw_path;                                 // what draws belong to, where it is not the instance at work
  std::unordered_map<std::string, std::uint64_t> draws;  // how many there were, by path
  std::unordered_map<std::string, NodeId> current;       // next value of each updated tensor
  std::vector<std::string> updated;                      // their names in order of first update
  std::unordered_set<std::string> declared;              // parameters and states that were met in this graph
  std::vector<NodeId> regularizers, penalties;           // scalars to add to the objective; penalties may be per sample
};

// A call that is being evaluated.
struct Frame {
  std::string context;  // "layer 'dense'"
  Span call;
  LocationId location = 0;  // of the call
};

struct Argument {
  Value value;
  Span span;
};
struct NamedArgument {
  std::string_view name;
  Span name_span;
  Argument argument;
};
struct Arguments {
  std::vector<Argument> positional;
  std::vector<NamedArgument> named;
  bool has_error() const;
};

enum class BodyKind : std::uint8_t { model, train, function, layer, optimizer, metric };

// The statements of one body while they run.
struct Body {
  BodyKind kind;
  Environment* environment;
  std::string owner;  // "function 'relu'"
  Value result;
  bool returned = false;
};

// A constraint, applied by the optimizer to the parameter's new value.
struct Constraint {
  Value function;
  Span span;
  std::vector<Frame> frames;
};

// What an optimizer that is at work updates.
struct OptimizerTarget {
  std::string parameter;
  Type type;
  std::string prefix;  // of hyper-parameters: "optimizer"
};

class Elaborator {
 public:
  Elaborator(const FrontendOptions& options, Sources& sources, Diagnostics& diagnostics);

  // ---------------------------------------------------------------- errors.cpp
  // Reports an error at `span`; inside functions of other files at the call in the main file, with `span` in a note
  // that says `in this {what}: {detail}`. Gives an error value.
  ErrorValue fail(Span span, const std::string& message, const std::string& what = "", const std::string& detail = "");
  void fail(Diagnostic diagnostic);
  void warn(Span span, const std::string& message);
  // " - did you mean 'x'?", or "".
  static std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);
  // That, or what to write instead of a word of Keras.
  static std::string proposal(std::string_view name, const std::vector<std::string>& candidates, WordPlace place);
  // "; functions and layers go by name, without quotes: relu" for a string that is the name of something.
  std::string without_quotes(const Value& value) const;
  // The piece of the source under a span.
  std::string source_text(Span span) const;
  std::string signature(const FunctionValue& function) const;
  // Counts work; false when a limit is reached (reported once) and everything should come to an end.
  bool spend(std::uint64_t steps, Span span);
  bool stopped() const { return stopped_; }

  // ---------------------------------------------------------------- expressions.cpp
  Value evaluate(const ast::Expression& expression);
  // The name's value, an error where there is none.
  Value lookup(std::string_view name, Span span);
  Value constant(Declaration& declaration);
  // A list of what may be lists; an error where they nest too deep.
  Value new_list(std::vector<Value> elements, Span span, bool several = false);
  // Whether a list is short enough to be looked through; an error where it is not.
  bool check_total(const Value& value, Span span);
  // A truth value that is known now; nothing after an error.
  std::optional<bool> condition(const ast::Expression& expression, const std::string& where);
  // Compile-time readings of a value; an error names what it is for ("the axis").
  std::optional<std::int64_t> to_integer(const Value& value, Span span, const std::string& what);
  std::optional<double> to_number(const Value& value, Span span, const std::string& what);
  std::optional<bool> to_truth(const Value& value, Span span, const std::string& what);
  // Extents of a shape, nested lists spliced, checked against the limits.
  std::optional<Shape> to_shape(const Value& value, Span span, bool allow_inferred = false);
  std::optional<Shape> to_shape(const ast::Shape& shape, Span span);
  bool check_shape(const Shape& shape, Span span);
  std::string interpolate(const ast::String& string);

  // ---------------------------------------------------------------- operators.cpp
  Value unary(const ast::Unary& unary, Span span);
  Value binary(const ast::Binary& binary, Span span);
  // An elementwise operation on numbers, lists and tensors; `symbol` is how messages spell it.
  Value elementwise(Op op, std::vector<Value> operands, Span span, std::string_view symbol);
  Value matrix_product(const Value& left, const Value& right, Span span);
  Value equality(const Value& left, const Value& right, bool negated, Span span);
  Value range(const ast::Binary& binary, Span span);

  // ---------------------------------------------------------------- tensors.cpp
  Builder& builder() { return context_->builder; }
  const Type& type_of(const TensorValue& tensor) { return context_->graph[tensor.node].type; }
  // A value of this graph: numbers, truth values and lists become constants of the wanted type (none: what fits them
  // best).
  std::optional<NodeId> to_node(const Value& value, std::optional<DType> dtype, Span span);
  // As above, and truth values and integers become numbers that can be divided.
  std::optional<NodeId> to_floating(const Value& value, Span span);
  NodeId convert(NodeId node, DType dtype);
  Value tensor(NodeId node) { return TensorValue{node, context_->number, false, {}}; }
  // Makes a node; reports what the type rule says.
  std::optional<NodeId> make(Op op, std::vector<NodeId> inputs, Attributes attributes, const Type* requested, Span span,
                             const std::string& what = "");
  // New nodes belong to this place.
  void locate(Span span);
  LocationId location_of(Span span);
  std::optional<NodeId> broadcast_to(NodeId node, const Shape& shape, Span span);
  NodeId ones_in_batch(DType dtype);  // the number of samples
  // Mean over the samples; the node itself where it does not depend on one.
  NodeId batch_mean(NodeId node);
  NodeId mean_of_all(NodeId node);
  std::optional<Shape> shape_of(const Value& value, Span span);

  // ---------------------------------------------------------------- indexing.cpp
  Value index(const ast::Index& index, Span span);

  // ---------------------------------------------------------------- calls.cpp
  Value call(const Value& callee, Arguments arguments, Span span, const void* place, std::string_view callee_name = {});
  // A function or layer as it is meant where something is computed: bare names stand for the configured ones.
  Value configured(const Value& function, Span span, const void* place);
  // The function with one more parameter list filled.
  Value configure(const FunctionValue& function, Arguments arguments, Span span, const void* place);
  // Calls what a user gave as an initializer, regularizer, constraint or activation.
  Value apply(const Value& function, std::vector<Value> arguments, Span span, const void* place);
  Value pipe(const ast::Pipe& pipe, Span span);
  Value evaluate_call(const ast::Call& call, Span span, const void* place);
  Arguments evaluate_arguments(const std::vector<ast::Argument>& arguments);
  Value copy_of(const Value& function, Span span, const void* place);
  // The name of the declaration that the last call ended in, through `fn a(x) = b(x)`: "categorical_accuracy" for
  // `accuracy`.
  const std::string& tail_function() const { return tail_function_; }

  // ---------------------------------------------------------------- statements.cpp
  void execute(const ast::Block& block, Body& body);
  void execute(const ast::Statement& statement, Body& body);
  void assign(const std::vector<ast::Identifier>& targets, const Value& value, Span span, Body& body);
  // `fn` and curried layers get their instance and its name where they are bound to a name.
  Value bind_name(const Value& value, const std::string& name, Span span, const void* place);

  // ---------------------------------------------------------------- variables.cpp
  void declare(const ast::Variable& variable, Body& body, Span span);
  void update(const ast::Update& update, Body& body, Span span);
  // The value of a name that stands for a state, slot or w: its next value where there is one.
  Value read_tensor(const std::string& name);
  NodeId tensor_node(const std::string& name);
  void set_next(const std::string& name, NodeId node);
  // Adds to the table; where it is there already it must be the same. Gives nullptr after an error.
  TensorInfo* declare_tensor(TensorInfo info, Span span);
  TensorInfo* find_tensor(std::string_view name);
  // The node made the tensor's type; reports what depends on one sample and shapes that do not fit.
  std::optional<NodeId> fit(const Value& value, const Type& type, const std::string& name, Span span,
                            std::string_view how);
  // A store of the tensor in the init graph.
  void initialize(const std::string& name, const Type& type, const Value& initial, Span span);

  // The state that the parts share; who writes what is said at each.
  const FrontendOptions& options;
  Sources& sources;
  Diagnostics& diagnostics;
  std::shared_ptr<Locations> locations = std::make_shared<Locations>();
  Program program;
  std::vector<TensorInfo> tensors;  // in order of declaration
  std::unordered_map<std::string, std::size_t> tensor_by_name;
  std::unordered_map<std::string, Constraint> constraints;  // by parameter
  std::unordered_map<NodeId, std::string> loss_functions;  // of the graph at work: first argument of a loss -> its name
  // Which values of a node are better, by graph and node, where the function that gave it says so.
  std::map<std::pair<std::uint32_t, NodeId>, Better> directions;
  Better direction_of(const Value& value) const;
  // Means of a metric that leave some elements out: what they are means of, times what counts, which is 0 or 1.
  struct Counted {
    NodeId each, counts;
  };
  std::map<std::pair<std::uint32_t, NodeId>, Counted> counted;
  bool measuring = false;  // the call at work is on a `metric` line
  // While a loss is evaluated: first and second arguments of the functions that are called.
  std::vector<std::pair<NodeId, NodeId>>* compared = nullptr;

  Module* main_module = nullptr;
  FileId first_own_file = 0;  // --set texts have this number or a larger one; they count as the main file
  Instance root;
  Activation* activation = nullptr;  // the instance at work
  GraphContext* context() { return context_; }

  // Makes another graph the one at work, until it goes out of scope.
  class Working {
   public:
    Working(Elaborator& elaborator, GraphContext& graph) : elaborator_(elaborator), before_(elaborator.context_) {
      elaborator.context_ = &graph;
    }
    ~Working() { elaborator_.context_ = before_; }
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

   private:
    Elaborator& elaborator_;
    GraphContext* before_;
  };
  std::unique_ptr<GraphContext> new_graph(const std::string& name);
  std::unique_ptr<GraphContext> init_graph;

  Environment* environment = nullptr;  // where names are looked up
  // Makes a new environment the one at work, until it goes out of scope; where a lambda refers to it, it is kept beyond
  // that.
  class Names {
   public:
    Names(Elaborator& elaborator, Environment* parent, Module* module);
    ~Names();
    Names(const Names&) = delete;
    Names& operator=(const Names&) = delete;
    Environment& operator*() { return *own_; }
    Environment* operator->() { return own_.get(); }

   private:
    Elaborator& elaborator_;
    Environment* before_;
    std::unique_ptr<Environment> own_;
  };
  std::vector<Frame> frames;
  OptimizerTarget* optimizing = nullptr;    // set while an optimizer's body runs
  std::string metric_path;                  // set while a metric's body runs: "metric.auc"
  bool takes_metric = false;                // the call at work is the one that a `metric` line makes
  std::map<std::string, int> metric_calls;  // inside it: how often a metric was applied at each path

  bool lines_are_missing = false;  // of the main file: they could not be parsed, which was reported
  bool in_train_block = false;     // it is being elaborated

  bool has_adapt = false;  // a layer has an `adapt` block

  // What the train block freezes, by the paths as they stand there, and the layers that asked for `frozen` and are not.
  std::vector<std::string> frozen_paths;
  std::set<std::string> layers_not_frozen;

  // Batches whose gradients together make one update, in a train block with `accumulate`: there `step` counts updates.
  std::int64_t batches_per_update = 1;
  // The f64 counter "step" (batches done) or "epoch", as it stands in the program.
  NodeId counter(std::string_view name, Span span);
  // Whether `freeze` names the layer at work, or one around it.
  bool is_frozen();

  // A hyper-parameter given as a number: its tensor, which is declared on the first call.
  Value hyper_parameter(const std::string& name, double value, Span span);

 private:
  bool is_own(Span span) const;  // it stands in the main file, or in a --set
  Value evaluate_node(const ast::Expression& expression);
  Value evaluate_name(const ast::Name& name, Span span);
  Value evaluate_comprehension(const ast::Comprehension& comprehension, Span span);
  Value evaluate_member(const ast::Member& member, Span span);
  Value evaluate_lambda(const ast::Lambda& lambda);
  Value evaluate_tail(const ast::Expression& expression, bool& is_call);
  bool bind_elements(const std::vector<ast::Identifier>& names, const Value& element, Span span, Environment& scope);
  bool append_extents(const Value& value, Span span, bool allow_inferred, Shape& shape);

  Value call_builtin(const Builtin& builtin, Arguments arguments, Span span, const void* place);
  Value call_function(const FunctionValue& function, Arguments arguments, Span span, const void* place,
                      std::string_view callee_name);
  std::optional<std::vector<Value>> match(const FunctionValue& function, std::size_t list, Arguments arguments,
                                          Span span);
  void note_compared(const FunctionValue& function);
  void note_direction(const FunctionValue& function, const Value& result);
  Value run(const FunctionValue& function, Span span, const void* place, std::string_view callee_name);
  Value run_body(const FunctionValue& function);
  Value run_layer(const FunctionValue& function, Instance& instance);
  Value run_metric(const FunctionValue& function, Span span);
  Value run_optimizer(const FunctionValue& function, Environment& scope, Span span, std::string_view callee_name);
  Instance* new_instance(const void* place, std::string base, bool is_layer);

  void execute_return(const ast::Return& statement, Body& body);
  void execute_for(const ast::For& statement, Body& body, Span span);
  void execute_repeat(const ast::Repeat& statement, Body& body, Span span);
  void execute_if(const ast::If& statement, Body& body);
  bool execute_check(const ast::Check& statement, Span span);
  void execute_penalty(const ast::Penalty& statement, Body& body, Span span);
  void execute_adapt(const ast::Adapt& statement, Body& body, Span span);
  void execute_output(const ast::Output& statement, Body& body, Span span);

  void declare_input(const ast::Variable& variable, Body& body, Span span);
  void declare_parameter(const ast::Variable& variable, Body& body, Span span);
  void declare_state(const ast::Variable& variable, Body& body, Span span);
  void declare_slot(const ast::Variable& variable, Body& body, Span span);
  void declare_metric_state(const ast::Variable& variable, Body& body, Span span);
  std::optional<Type> variable_type(const ast::Variable& variable, const Value* initial, Span span,
                                    const Type& otherwise);
  struct ParameterOptions {
    Value regularizer, constraint;
    Span regularizer_span, constraint_span;
    bool trainable = true;
  };
  std::optional<ParameterOptions> parameter_options(const ast::Variable& variable);

  Value fold(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol);
  Value fold_numbers(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol);
  std::optional<DType> operand_type(Op op, const std::vector<Value>& operands, Span span, std::string_view symbol,
                                    bool& weak);
  std::vector<std::string> visible_names() const;

  GraphContext* context_ = nullptr;
  std::uint32_t graph_count_ = 0;
  std::uint64_t steps_ = 0;
  int nesting_ = 0;
  int calls_ = 0;
  bool stopped_ = false;
  std::size_t error_count_ = 0;
  std::set<std::tuple<FileId, std::uint32_t, std::uint32_t, std::string>> reported_;
  std::vector<std::unique_ptr<Environment>> captured_;
  std::string tail_function_;
};

}  // namespace tarn::elaboration
