// Checks of what callers pass: views, names, memory for results. See library.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "codegen/program/workspace.h"
#include "ir/counted.h"
#include "ir/joined.h"
#include "runtime/files/array_values.h"
#include "runtime/files/value_check.h"
#include "runtime/library/library.h"

namespace tarn {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;

bool is_dtype(tarn_dtype dtype) { return dtype >= TARN_F32 && dtype <= TARN_BOOL; }
std::string_view type_name(tarn_dtype dtype) { return name_of(static_cast<DType>(dtype)); }

bool is_aligned(const void* memory, std::size_t alignment) {
  return (reinterpret_cast<std::uintptr_t>(memory) & (alignment - 1)) == 0;
}

std::span<const std::int64_t> shape_of(const tarn_view& view) { return {view.shape, view.rank}; }

// What holds for every view, whatever it is for: a type, a shape of bounded size, aligned data.
Answer check_view(const tarn_view& view, const std::string& what) {
  if (!is_dtype(view.dtype)) return invalid(fmt::format("{} has no type number {}", what, view.dtype));
  if (view.rank > kMaxRank + 1)
    return invalid(fmt::format("{} has {}; there may be {}", what, counted(view.rank, "axis", "axes"), kMaxRank + 1));
  if (view.rank > 0 && view.shape == nullptr) return invalid(fmt::format("the shape of {} is null", what));
  const std::size_t element = size_of(static_cast<DType>(view.dtype));
  std::uint64_t bytes = element;
  bool is_empty = false;
  for (const std::int64_t extent : shape_of(view)) {
    if (extent < 0) return invalid(fmt::format("{} has the negative extent {}", what, extent));
    is_empty = is_empty || extent == 0;
    const std::uint64_t factor = std::max<std::uint64_t>(static_cast<std::uint64_t>(extent), 1);
    if (bytes > kMostBytes / factor)
      return invalid(fmt::format("{} has the impossible shape {}", what, format_shape(shape_of(view))));
    bytes *= factor;
  }
  if (is_empty) return {};
  if (view.data == nullptr) return invalid(fmt::format("the data of {} are null", what));
  if (!is_aligned(view.data, element))
    return invalid(fmt::format("the data of {} are not aligned to {} bytes", what, element));
  for (std::size_t axis = 0; view.strides != nullptr && axis < view.rank; ++axis) {
    if (view.strides[axis] % static_cast<std::int64_t>(element) != 0)
      return invalid(fmt::format("stride {} of {} is no multiple of {} bytes", axis, what, element));
  }
  return {};
}

std::int64_t elements_of(const tarn_view& view) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape_of(view)) count *= extent;
  return count;
}

bool is_dense(const tarn_view& view) {
  if (view.strides == nullptr) return true;
  auto expected = static_cast<std::int64_t>(size_of(static_cast<DType>(view.dtype)));
  for (std::size_t axis = view.rank; axis-- > 0;) {
    if (view.shape[axis] > 1 && view.strides[axis] != expected) return false;
    expected *= view.shape[axis];
  }
  return true;
}

void copy_axis(const tarn_view& view, std::size_t axis, const std::byte* from, std::byte*& to) {
  const std::size_t element = size_of(static_cast<DType>(view.dtype));
  if (axis == view.rank) {
    std::memcpy(to, from, element);
    to += element;
    return;
  }
  const std::int64_t stride = view.strides[axis];
  const bool is_run = axis + 1 == view.rank && stride == static_cast<std::int64_t>(element);
  if (is_run) {
    const std::size_t bytes = static_cast<std::size_t>(view.shape[axis]) * element;
    std::memcpy(to, from, bytes);
    to += bytes;
    return;
  }
  for (std::int64_t i = 0; i < view.shape[axis]; ++i) copy_axis(view, axis + 1, from + i * stride, to);
}

Bytes dense_copy(const tarn_view& view) {
  Bytes bytes(static_cast<std::size_t>(elements_of(view)) * size_of(static_cast<DType>(view.dtype)));
  std::byte* to = bytes.data();
  if (!bytes.empty()) copy_axis(view, 0, static_cast<const std::byte*>(view.data), to);
  return bytes;
}

// How many samples the view has; nothing where it has none of that shape.
std::optional<std::uint64_t> samples_in(const tarn_view& view, const Shape& sample) {
  const std::int64_t elements = elements_of(view), each = element_count(sample);
  const bool has_rows = view.rank == sample.size() + 1 && std::equal(sample.begin(), sample.end(), view.shape + 1);
  if (has_rows) return static_cast<std::uint64_t>(view.shape[0]);
  if (view.rank == 1 && each > 0 && elements % each == 0) return static_cast<std::uint64_t>(elements / each);
  return std::nullopt;
}

Answer check_values(const InputInfo& input, const void* data, std::uint64_t rows) {
  const auto width = static_cast<std::uint64_t>(element_count(input.type.shape));
  const std::optional<std::size_t> wrong = first_wrong_value(input, data, rows * width);
  if (!wrong) return {};
  const double value = value_at(input.type.dtype, data, *wrong);
  std::size_t more = 0;
  for (std::size_t i = *wrong + 1; i < rows * width; ++i)
    more += may_hold(input, i % width, value_at(input.type.dtype, data, i)) ? 0 : 1;
  if (!std::isfinite(value)) {
    return {TARN_NOT_FINITE,
            {error(fmt::format("the data of '{}' hold a NaN or an infinity: here is {} in sample {}{}", input.name,
                               value, *wrong / width, and_more(more)))}};
  }
  return invalid(fmt::format("'{}' takes {}; here is {} in sample {}{}", input.name,
                             wanted_instead(input, *wrong % width, value), value, *wrong / width, and_more(more)));
}

Answer read_samples(const InputInfo& input, const tarn_view& view, const void*& data, std::uint64_t& rows,
                    Bytes& dense) {
  const std::string what = fmt::format("'{}'", input.name);
  if (Answer answer = check_view(view, what); answer.failed()) return answer;
  if (view.dtype != dtype_of(input.type.dtype))
    return invalid(fmt::format("{} is {}, and the array {}", what, name_of(input.type.dtype), type_name(view.dtype)));
  const std::optional<std::uint64_t> samples = samples_in(view, input.type.shape);
  if (!samples) {
    return invalid(
        fmt::format("one sample of {} has the shape {}, so an array of samples has another axis before it; "
                    "this one has the shape {}",
                    what, to_string(input.type.shape), format_shape(shape_of(view))));
  }
  rows = *samples;
  data = view.data;
  if (!is_dense(view)) {
    dense = dense_copy(view);
    data = dense.data();
  }
  return check_values(input, data, rows);
}

std::string names_of_inputs(const Program& program, bool training) {
  std::vector<std::string> names;
  for (const InputInfo& input : program.inputs) {
    if (training || input.role == InputRole::input) names.push_back(fmt::format("'{}'", input.name));
  }
  return joined(names, ", ");
}

}  // namespace

Answer read_arguments(const Program& program, const tarn_array* arrays, std::size_t count, bool training,
                      Arguments& arguments) {
  if (count > 0 && arrays == nullptr) return invalid("the arrays are null");
  std::vector<bool> seen(program.inputs.size());
  arguments.rows = Rows{std::vector<const void*>(program.inputs.size()), 0};
  arguments.dense.resize(program.inputs.size());
  const std::string* first = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    if (arrays[i].name == nullptr) return invalid(fmt::format("the name of array {} is null", i));
    const InputInfo* input = program.find_input(arrays[i].name);
    if (input == nullptr) {
      return invalid(fmt::format("the model has no input '{}'; arrays are wanted for {}", arrays[i].name,
                                 names_of_inputs(program, training)));
    }
    const auto at = static_cast<std::size_t>(input - program.inputs.data());
    if (!training && input->role != InputRole::input)
      return invalid(
          fmt::format("'{}' is for training; predictions take {}", input->name, names_of_inputs(program, training)));
    if (seen[at]) return invalid(fmt::format("there are two arrays for '{}'", input->name));
    seen[at] = true;
    std::uint64_t rows = 0;
    Answer answer = read_samples(*input, arrays[i].view, arguments.rows.arrays[at], rows, arguments.dense[at]);
    if (answer.failed()) return answer;
    if (first == nullptr) {
      first = &input->name;
      arguments.rows.count = rows;
    } else if (rows != arguments.rows.count) {
      return invalid(
          fmt::format("'{}' has {}, and '{}' {}", *first, counted(arguments.rows.count, "sample"), input->name, rows));
    }
  }
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    const bool wanted = training || program.inputs[i].role == InputRole::input;
    if (wanted && !seen[i]) return invalid(fmt::format("there is no array for '{}'", program.inputs[i].name));
  }
  return {};
}

Answer read_tensor(const tarn_view& view, const TensorInfo& tensor, Array& array) {
  const std::string what = fmt::format("the array for '{}'", tensor.name);
  if (Answer answer = check_view(view, what); answer.failed()) return answer;
  const auto shape = shape_of(view);
  const bool is_flat = view.rank == 1 && shape[0] == element_count(tensor.type.shape);
  if (!is_flat && !std::equal(shape.begin(), shape.end(), tensor.type.shape.begin(), tensor.type.shape.end())) {
    return invalid(fmt::format("'{}' has the shape {}, and the array {}", tensor.name, to_string(tensor.type.shape),
                               format_shape(shape)));
  }
  array = Array::unset(array_type_of(static_cast<DType>(view.dtype)), tensor.type.shape);
  if (is_dense(view)) {
    if (!array.data.empty()) std::memcpy(array.data.data(), view.data, array.data.size());
  } else {
    array.data = dense_copy(view);
  }
  return {};
}

Answer check_tensor(const Array& array, const TensorInfo& tensor) {
  const ArrayType type = array_type_of(tensor.type.dtype);
  const std::optional<WrongElements> wrong = wrong_elements(array, type);
  if (!wrong) return {};
  std::string message = "the array for " + wrong_elements_text(tensor.name, array, type, *wrong);
  if (std::isfinite(wrong->value)) return invalid(std::move(message));
  return {TARN_NOT_FINITE, {error(std::move(message))}};
}

Answer check_memory(const void* memory, std::uint64_t available, std::uint64_t bytes, DType dtype,
                    const std::string& what) {
  if (memory == nullptr && bytes > 0) return invalid(fmt::format("the memory for {} is null", what));
  if (available < bytes)
    return invalid(fmt::format("the memory for {} has {}; it needs {}", what, counted(available, "byte"), bytes));
  if (!is_aligned(memory, size_of(dtype)))
    return invalid(fmt::format("the memory for {} is not aligned to {} bytes", what, size_of(dtype)));
  return {};
}

Answer check_apart(const Program& program, const Rows& rows, const std::vector<void*>& outputs) {
  struct Range {
    const std::string* name;
    std::uintptr_t begin, end;
  };
  std::vector<Range> ranges;
  const auto add = [&](const std::string& name, const void* data, const Type& type) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::uint64_t bytes = rows.count * sample_bytes(type);
    if (bytes > 0) ranges.push_back({&name, begin, begin + bytes});
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) add(program.outputs[i].name, outputs[i], program.outputs[i].type);
  const std::size_t written = ranges.size();
  for (std::size_t i = 0; i < program.inputs.size(); ++i) {
    if (rows.arrays[i] != nullptr) add(program.inputs[i].name, rows.arrays[i], program.inputs[i].type);
  }
  for (std::size_t i = 0; i < written; ++i) {
    for (std::size_t k = i + 1; k < ranges.size(); ++k) {
      if (ranges[i].begin < ranges[k].end && ranges[k].begin < ranges[i].end)
        return invalid(
            fmt::format("the memory for output '{}' overlaps that of '{}'", *ranges[i].name, *ranges[k].name));
    }
  }
  return {};
}

Answer read_outputs(const Program& program, const tarn_output* outputs, std::size_t count, std::uint64_t rows,
                    std::vector<void*>& pointers, std::vector<Bytes>& scratch) {
  if (count == 0) return invalid("there is no memory for any output");
  if (outputs == nullptr) return invalid("the outputs are null");
  pointers.assign(program.outputs.size(), nullptr);
  std::vector<bool> seen(program.outputs.size());
  for (std::size_t i = 0; i < count; ++i) {
    const tarn_output& given = outputs[i];
    if (given.name == nullptr) return invalid(fmt::format("the name of output {} is null", i));
    const auto output = std::find_if(program.outputs.begin(), program.outputs.end(),
                                     [&](const OutputInfo& known) { return known.name == given.name; });
    if (output == program.outputs.end()) return invalid(fmt::format("the model has no output '{}'", given.name));
    const auto at = static_cast<std::size_t>(output - program.outputs.begin());
    if (seen[at]) return invalid(fmt::format("output '{}' is named twice", given.name));
    seen[at] = true;
    if (!is_dtype(given.dtype) || given.dtype != dtype_of(output->type.dtype)) {
      return invalid(fmt::format("output '{}' is {}, and its memory {}", given.name, name_of(output->type.dtype),
                                 is_dtype(given.dtype) ? type_name(given.dtype) : "of no known type"));
    }
    const std::uint64_t each = sample_bytes(output->type);
    if (each > 0 && rows > kMostBytes / each) return invalid(fmt::format("{} samples are too many", rows));
    const std::uint64_t bytes = rows * each;
    Answer answer =
        check_memory(given.data, given.bytes, bytes, output->type.dtype, fmt::format("output '{}'", given.name));
    if (answer.failed()) return answer;
    pointers[at] = given.data;
  }
  for (std::size_t at = 0; at < pointers.size(); ++at) {
    if (seen[at]) continue;
    scratch.emplace_back(rows * sample_bytes(program.outputs[at].type));
    pointers[at] = scratch.back().data();
  }
  return {};
}

}  // namespace tarn
