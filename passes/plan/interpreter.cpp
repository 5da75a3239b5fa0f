// See interpreter.h. Simple on purpose: one point at a time, every value a double.
#include "passes/plan/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "ir/random.h"
#include "passes/plan/guarded_stores.h"
#include "passes/plan/interpreter_memory.h"

namespace tarn {
namespace {

using Point = std::vector<std::int64_t>;

// The meaning of convert: float to i32 truncates and saturates, NaN becomes 0; anything to bool is x != 0.
double convert_value(double value, DType from, DType to) {
  if (to == DType::boolean) return value != 0 ? 1 : 0;
  if (to != DType::i32 || !is_floating(from)) return value;
  if (std::isnan(value)) return 0;
  return std::clamp<double>(std::trunc(value), std::numeric_limits<std::int32_t>::min(),
                            std::numeric_limits<std::int32_t>::max());
}

// A repeat under way. Every round is a time of its own.
struct RunningRepeat {
  const Kernel* kernel = nullptr;
  const std::vector<BufferId>* carried = nullptr;
  std::int64_t round = 0;
  std::uint32_t began = 0, round_began = 0;
};

// A reduction under way.
struct Running {
  double best = 0;
  std::int64_t place = 0;
  std::int64_t count = 0;
};

class Interpreter {
 public:
  Interpreter(const KernelPlan& plan, const Program& program, const EvaluationContext& context,
              InterpreterOptions options)
      : plan_(plan), context_(context), options_(options), memory_(plan, program, context) {}

  Result<PlanOutcome> run();

 private:
  // The number of the first.
  Status run_kernels(const std::vector<Kernel>& kernels, std::size_t number);
  Status run_kernel(const LoopKernel& kernel);
  Status run_kernel(const ContractionKernel& kernel);
  Status run_kernel(const FiniteGuard& guard);
  Status run_kernel(const Repeat& repeat);
  std::int64_t at(const Linear& linear, const Point& point) const;
  // An element that was written at this time is read: what an earlier round has left is to be carried.
  void check_carried(BufferId buffer, std::int64_t element, std::uint32_t time);
  Status run_body(const Body& body, const Point& point, const std::vector<double>& given);
  double value_of(const Value& value, const Point& point, const std::vector<double>& given);
  double random_value(const Value& value, const Point& point);
  std::int64_t element_of(const Access& access, const Point& point);
  bool is_inside(const Access& access, const Point& point) const {
    return std::all_of(access.bounds.begin(), access.bounds.end(), [&](const Bound& bound) {
      const std::int64_t index = at(bound.index, point);
      return index >= 0 && index < bound.limit;
    });
  }
  double load(BufferId buffer, std::int64_t element);
  void store(BufferId buffer, std::int64_t element, double value);
  double value_of(const Operand& operand, const Point& point);
  std::int64_t extent(const Extent& e) const { return e.constant * (e.times_batch ? context_.batch : 1); }
  std::vector<std::int64_t> extents_of(const std::vector<Extent>& axes) const {
    std::vector<std::int64_t> extents;
    for (const Extent& axis : axes) extents.push_back(extent(axis));
    return extents;
  }
  Result<HostTensor> read_buffer(BufferId id);
  void fail(std::string message) {
    if (failure_.empty()) failure_ = fmt::format("kernel {}: {}", number_, message);
  }
  Status status() const { return failure_.empty() ? Status(Done{}) : Status(error(failure_)); }

  const KernelPlan& plan_;
  const EvaluationContext& context_;
  InterpreterOptions options_;
  PlanMemory memory_;
  std::vector<double> values_;
  std::string failure_;
  std::size_t number_ = 0;              // of the kernel that runs
  const Kernel* kernel_ = nullptr;      // that one
  std::vector<RunningRepeat> repeats_;  // around it, the outermost first
  std::uint32_t time_ = 0;
  bool stopped_ = false, kept_old_ = false;
};

std::int64_t Interpreter::at(const Linear& linear, const Point& point) const {
  std::int64_t sum = linear.offset;
  for (std::size_t i = 0; i < linear.strides.size(); ++i) sum += linear.strides[i] * point[i];
  for (std::size_t d = 0; d < linear.repeat_strides.size(); ++d) {
    sum += linear.repeat_strides[d] * repeats_[d].round;
  }
  return sum;
}

// Calls visit(point) for every point of the extents in the order of their indices, or backwards.
template <class Visit>
void for_each_point(const std::vector<std::int64_t>& extents, bool reversed, Visit visit) {
  const std::int64_t count = element_count(extents);
  Point point(extents.size());
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = reversed ? count - 1 - i : i;
    for (std::size_t k = extents.size(); k-- > 0;) {
      point[k] = rest % extents[k];
      rest /= extents[k];
    }
    visit(point);
  }
}

double Interpreter::load(BufferId id, std::int64_t element) {
  if (const auto found = memory_.load(id, element)) {
    check_carried(id, element, found->time);
    return found->value;
  }
  const Buffer& buffer = plan_.buffers[id];
  fail(fmt::format("element {} of '{}' {}", element, buffer.name,
                   buffer.space == Space::constants ? "lies outside of the constants" : "is read, but not written"));
  return 0;
}

void Interpreter::check_carried(BufferId id, std::int64_t element, std::uint32_t time) {
  for (const RunningRepeat& running : repeats_) {
    if (time < running.began || time >= running.round_began) continue;
    if (std::find(running.carried->begin(), running.carried->end(), id) != running.carried->end()) continue;
    fail(fmt::format("element {} of '{}' was written by an earlier round of '{}', which does not carry it", element,
                     plan_.buffers[id].name, running.kernel->name));
  }
}

void Interpreter::store(BufferId id, std::int64_t element, double value) {
  if (!memory_.store(id, element, value, time_)) {
    fail(fmt::format("element {} of '{}' cannot be written", element, plan_.buffers[id].name));
  }
}

std::int64_t Interpreter::element_of(const Access& access, const Point& point) {
  std::int64_t element = at(access.at, point);
  if (access.row != kNoValue) {
    const double row = values_[access.row];
    const std::int64_t clamped =
        row > 0 ? static_cast<std::int64_t>(std::min(row, static_cast<double>(access.row_limit - 1))) : 0;
    element += clamped * access.row_stride;
  }
  return element;
}

double Interpreter::random_value(const Value& value, const Point& point) {
  DrawPosition position{context_.seed, value.stream, context_.step, 0, 0};
  position.element = static_cast<std::uint32_t>(at(value.linear, point));
  position.sample = static_cast<std::uint32_t>(at(value.sample, point));
  const auto& strides = value.sample.strides;
  if (std::any_of(strides.begin(), strides.end(), [](std::int64_t s) { return s != 0; })) {
    position.sample += context_.first_sample;
  }
  return draw_number(value.distribution, position, value.dtype);
}

double Interpreter::value_of(const Value& value, const Point& point, const std::vector<double>& given) {
  switch (value.kind) {
    case Value::Kind::operation: {
      const auto operand = [&](std::size_t i) { return i < value.operands.size() ? values_[value.operands[i]] : 0.0; };
      return info(value.op).scalar(operand(0), operand(1), operand(2));
    }
    case Value::Kind::constant:
      return value.number;
    case Value::Kind::load:
      if (!is_inside(value.access, point)) return value.access.fill;
      return load(value.access.buffer, element_of(value.access, point));
    case Value::Kind::index:
      return static_cast<double>(at(value.linear, point));
    case Value::Kind::batch_size:
      return static_cast<double>(context_.batch);
    case Value::Kind::draw:
      return random_value(value, point);
    case Value::Kind::product:
      return given[0];
    case Value::Kind::reduced:
      return given[value.reduction];
  }
  return 0;
}

// Leaves the values of the body in values_. `given` holds the product, or the results of the reductions.
Status Interpreter::run_body(const Body& body, const Point& point, const std::vector<double>& given) {
  values_.assign(body.values.size(), 0);
  for (std::size_t i = 0; i < body.values.size(); ++i) {
    const Value& value = body.values[i];
    values_[i] = value_of(value, point, given);
    if (value.kind == Value::Kind::operation && value.op == Op::convert) {
      values_[i] = convert_value(values_[i], body.values[value.operands[0]].dtype, value.dtype);
    }
  }
  const bool keeps_old = std::any_of(body.stores.begin(), body.stores.end(), [&](const Store& s) {
    return s.guarded && !is_finite_as(values_[s.value], body.values[s.value].dtype);
  });
  kept_old_ = kept_old_ || keeps_old;
  for (const Store& s : body.stores) {
    if (s.guarded && keeps_old) continue;
    const std::int64_t element = element_of(s.access, point);
    const double before = s.accumulate ? load(s.access.buffer, element) : 0;
    store(s.access.buffer, element, before + values_[s.value]);
  }
  return status();
}

void add_to(Running& running, Op op, double x, std::int64_t place) {
  const ReductionInfo& reduction = *info(op).reduction;
  double& r = running.best;
  const bool first = running.count++ == 0;
  if (!reduction.gives_index) {
    r = first ? x : info(reduction.combine).scalar(r, x, 0);
    return;
  }
  // The first of equals, wherever the run began; a NaN never wins over a number before it.
  const bool better = reduction.finds_largest() ? x > r : x < r;
  if (first || better || (x == r && place < running.place)) running = {x, place, running.count};
}

double result_of(const Running& running, Op op) {
  const ReductionInfo& reduction = *info(op).reduction;
  if (reduction.gives_index) return static_cast<double>(running.place);
  return running.count > 0 ? running.best : reduction.identity;
}

Status Interpreter::run_kernel(const LoopKernel& kernel) {
  std::vector<std::int64_t> kept, reduced;
  for (std::size_t i = 0; i < kernel.axes.size(); ++i) {
    kept.push_back(kernel.reduced[i] ? 1 : extent(kernel.axes[i]));
    reduced.push_back(kernel.reduced[i] ? extent(kernel.axes[i]) : 1);
  }
  const std::vector<std::int64_t> place_strides = row_major_strides(reduced);
  for_each_point(kept, options_.reversed, [&](const Point& outer) {
    std::vector<Running> running(kernel.reductions.size());
    for_each_point(reduced, options_.reversed, [&](const Point& inner) {
      Point point = outer;
      std::int64_t place = 0;
      for (std::size_t i = 0; i < point.size(); ++i) {
        point[i] += inner[i];
        place += inner[i] * place_strides[i];
      }
      if (!run_body(kernel.body, point, {})) return;
      for (std::size_t i = 0; i < running.size(); ++i) {
        add_to(running[i], kernel.reductions[i].op, values_[kernel.reductions[i].value], place);
      }
    });
    std::vector<double> given;
    given.reserve(running.size());
    for (std::size_t i = 0; i < running.size(); ++i) given.push_back(result_of(running[i], kernel.reductions[i].op));
    static_cast<void>(run_body(kernel.tail, outer, given));
  });
  return status();
}

Point point_of(const Point& first, const Point& second, const Point& third) {
  Point all = first;
  all.insert(all.end(), second.begin(), second.end());
  all.insert(all.end(), third.begin(), third.end());
  return all;
}

Status Interpreter::run_kernel(const ContractionKernel& kernel) {
  const std::vector<std::int64_t> inner = extents_of(kernel.inner);
  const auto batch = static_cast<std::ptrdiff_t>(kernel.batch.size()),
             rows = static_cast<std::ptrdiff_t>(kernel.rows.size());
  std::map<Point, std::vector<Running>> sums;  // by columns
  for_each_point(extents_of(axes_with(kernel, kernel.rows, kernel.columns)), options_.reversed, [&](const Point& all) {
    const Point of_batch(all.begin(), all.begin() + batch), of_rows(all.begin() + batch, all.begin() + batch + rows),
        of_columns(all.begin() + batch + rows, all.end());
    double sum = 0;
    for_each_point(inner, false, [&](const Point& k) {
      sum += value_of(kernel.a, point_of(of_batch, of_rows, k)) * value_of(kernel.b, point_of(of_batch, k, of_columns));
    });
    if (!run_body(kernel.epilogue, all, {sum})) return;
    std::vector<Running>& of_column = sums[of_columns];
    of_column.resize(kernel.sums.size());
    for (std::size_t i = 0; i < of_column.size(); ++i) {
      add_to(of_column[i], kernel.sums[i].op, values_[kernel.sums[i].value], 0);
    }
  });
  for (const auto& [columns, of_column] : sums) {
    if (of_column.empty()) break;
    std::vector<double> given;
    for (std::size_t i = 0; i < of_column.size(); ++i) given.push_back(result_of(of_column[i], kernel.sums[i].op));
    if (!run_body(kernel.tail, point_of({}, Point(kernel.rows.size()), columns), given)) break;
  }
  return status();
}

double Interpreter::value_of(const Operand& operand, const Point& point) {
  static_cast<void>(run_body(operand.body, point, {}));
  return values_[operand.value];
}

Status Interpreter::run_kernel(const FiniteGuard& guard) {
  stopped_ = !std::isfinite(load(guard.buffer, 0));
  return status();
}

Status Interpreter::run_kernel(const Repeat& repeat) {
  const std::size_t first = number_ + 1;
  repeats_.push_back({kernel_, &repeat.carried, 0, time_ + 1, 0});
  for (std::int64_t round = 0; round < repeat.count && !stopped_; ++round) {
    repeats_.back().round = round;
    repeats_.back().round_began = ++time_;
    TARN_RETURN_IF_ERROR(run_kernels(repeat.steps, first));
  }
  repeats_.pop_back();
  return status();
}

Status Interpreter::run_kernels(const std::vector<Kernel>& kernels, std::size_t number) {
  for (const Kernel& kernel : kernels) {
    if (stopped_) break;
    number_ = number;
    kernel_ = &kernel;
    number += count_kernels(kernel);
    TARN_RETURN_IF_ERROR(std::visit([&](const auto& body) { return run_kernel(body); }, kernel.body));
  }
  return status();
}

Result<HostTensor> Interpreter::read_buffer(BufferId id) {
  const Buffer& buffer = plan_.buffers[id];
  HostTensor tensor{with_batch(buffer.shape, context_.batch), {}};
  for_each_point(tensor.shape, false,
                 [&](const Point& point) { tensor.data.push_back(load(id, at({buffer.strides, 0}, point))); });
  TARN_RETURN_IF_ERROR(status());
  return tensor;
}

Result<PlanOutcome> Interpreter::run() {
  TARN_RETURN_IF_ERROR(memory_.fill());
  TARN_RETURN_IF_ERROR(run_kernels(plan_.kernels, 0));
  PlanOutcome outcome;
  outcome.stopped = stopped_;
  outcome.kept_old = kept_old_;
  for (const PlanResult& result : plan_.results) {
    if (stopped_) break;
    TARN_TRY(HostTensor tensor, read_buffer(result.buffer));
    outcome.results.push_back(std::move(tensor));
  }
  outcome.tensors = memory_.tensors();
  return outcome;
}

}  // namespace

Result<PlanOutcome> interpret(const KernelPlan& plan, const Program& program, const EvaluationContext& context,
                              InterpreterOptions options) {
  return Interpreter(plan, program, context, options).run();
}

}  // namespace tarn
