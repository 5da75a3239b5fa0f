// Calls: configuring and applying functions and layers, pipes; running their bodies.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/elaborate/arguments.h"
#include "frontend/elaborate/scope.h"
#include "ir/type.h"

namespace tarn::elaboration {

struct Elaborator;

// What an optimizer that is at work updates.
struct OptimizerTarget {
  std::string parameter;
  Type type;
  std::string prefix;  // of hyper-parameters: "optimizer"
};

// The `metric` line that is elaborated.
struct MetricLine {
  std::string path;                  // set while a metric's body runs: "metric.auc"
  bool takes_call = false;           // the call at work is the one that the line makes
  std::map<std::string, int> calls;  // inside it: how often a metric was applied at each path
  bool measures = false;             // the call at work is on such a line
};

class Calls {
 public:
  explicit Calls(Elaborator& elaborator) : e_(elaborator) {}

  Value call(const Value& callee, Arguments arguments, Span span, const void* place, std::string_view callee_name = {});
  // Calls what a user gave as an initializer, regularizer, constraint or activation.
  Value apply(const Value& function, std::vector<Value> arguments, Span span, const void* place);
  Value evaluate_call(const ast::Call& call, Span span, const void* place);
  Value pipe(const ast::Pipe& pipe);
  Arguments evaluate_arguments(const std::vector<ast::Argument>& arguments);

  // A function or layer as it is meant where something is computed: bare names stand for the configured ones.
  Value configured(const Value& function, Span span, const void* place);
  Value copy_of(const Value& function, Span span, const void* place);
  // `fn` and curried layers get their instance and its name where they are bound to a name.
  Value bind_name(const Value& value, const std::string& name, Span span, const void* place);
  // The name of the declaration that the last call ended in, through `fn a(x) = b(x)`: "categorical_accuracy" for
  // `accuracy`.
  const std::string& tail_function() const { return tail_function_; }

  OptimizerTarget* optimizing = nullptr;  // set while an optimizer's body runs
  MetricLine metric;

 private:
  // The function with one more parameter list filled.
  Value configure(const FunctionValue& function, Arguments arguments, Span span, const void* place);
  Value call_builtin(const Builtin& builtin, Arguments arguments, Span span, const void* place);
  Value call_function(const FunctionValue& function, Arguments arguments, Span span, const void* place,
                      std::string_view callee_name);
  // The values of the parameters of a list, in their order.
  std::optional<std::vector<Value>> match(const FunctionValue& function, std::size_t list, Arguments arguments,
                                          Span span);
  Value run(const FunctionValue& function, Span span, const void* place, std::string_view callee_name);
  Value run_body(const FunctionValue& function);
  Value run_layer(const FunctionValue& function, Instance& instance);
  Value run_metric(const FunctionValue& function, Span span);
  Value run_optimizer(const FunctionValue& function, Environment& scope, Span span, std::string_view callee_name);
  Value evaluate_tail(const ast::Expression& expression, bool& is_call);

  Elaborator& e_;
  int depth_ = 0;
  std::string tail_function_;
};

}  // namespace tarn::elaboration
