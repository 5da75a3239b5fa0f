// See arrays.h.
#include "tests/models/arrays.h"

#include "tests/support/compiler/hand_plan.h"

namespace tarn::models {

void write_elements(std::byte* to, DType dtype, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) testing::write_element(to + i * size_of(dtype), dtype, values[i]);
}

std::vector<double> read_elements(const std::byte* from, DType dtype, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(testing::read_element(from + i * size_of(dtype), dtype));
  return values;
}

void append_state(const Program& program, const std::byte* state, const std::string& when, Trajectory& seen) {
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_observed(tensor)) continue;
    const auto count = static_cast<std::size_t>(element_count(tensor.type.shape));
    seen.push_back({when + tensor.name, read_elements(state + tensor.offset, tensor.type.dtype, count)});
  }
}

void append_metrics(const Program& program, const double* values, const std::string& when, Trajectory& seen) {
  for (const MetricInfo& metric : program.metrics) {
    const double* const end = values + element_count(metric.shape);
    seen.push_back({when + metric.name, {values, end}});
    values = end;
  }
}

InputArrays::InputArrays(const Subject& subject) {
  for (const InputInfo& input : subject.program.inputs) {
    const std::vector<double>& values = subject.data.at(input.name).data;
    auto& array = arrays_.emplace_back(values.size() * size_of(input.type.dtype));
    write_elements(array.data(), input.type.dtype, values);
    pointers_.push_back(array.data());
  }
}

OutputArrays::OutputArrays(const Subject& subject) : subject_(subject) {
  for (const OutputInfo& output : subject.program.outputs) {
    const auto elements = static_cast<std::size_t>(element_count(output.type.shape) * subject.model.rows);
    pointers_.push_back(arrays_.emplace_back(elements * size_of(output.type.dtype)).data());
  }
}

void OutputArrays::append_to(Trajectory& seen) const {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const OutputInfo& output = subject_.program.outputs[i];
    const std::size_t count = arrays_[i].size() / size_of(output.type.dtype);
    seen.push_back({"predicted " + output.name, read_elements(arrays_[i].data(), output.type.dtype, count)});
  }
}

}  // namespace tarn::models
