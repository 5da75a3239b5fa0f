// See interpreter_memory.h.
#include "passes/plan/interpreter_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tarn {
namespace {

double decode_constant(const std::byte* bytes, DType dtype) {
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, bytes, sizeof(T));
    return static_cast<double>(value);
  };
  switch (dtype) {
    case DType::f32:
      return as(float{});
    case DType::f64:
      return as(double{});
    case DType::i32:
      return as(std::int32_t{});
    case DType::boolean:
      return as(std::uint8_t{});
  }
  return 0;
}

// Where an element is in the space of its buffer.
std::int64_t byte_of(const Buffer& buffer, std::int64_t element) {
  return static_cast<std::int64_t>(buffer.offset) + element * static_cast<std::int64_t>(size_of(buffer.dtype));
}

}  // namespace

std::optional<PlanMemory::Element> PlanMemory::Bytes::read(std::int64_t at, std::size_t width) const {
  if (at < 0 || at + width > cells.size()) return std::nullopt;
  for (std::size_t i = at; i < at + width; ++i) {
    if (cells[i].width != width || cells[i].owner != static_cast<std::uint64_t>(at)) return std::nullopt;
  }
  return Element{cells[at].value, cells[at].time};
}

bool PlanMemory::Bytes::write(std::int64_t at, std::size_t width, double value, std::uint32_t time) {
  if (at < 0 || at + width > cells.size()) return false;
  for (std::size_t i = at; i < at + width; ++i) {
    cells[i] = {value, static_cast<std::uint64_t>(at), static_cast<std::uint8_t>(width), time};
  }
  return true;
}

Status PlanMemory::fill() {
  TARN_RETURN_IF_ERROR(fill_tensors());
  TARN_RETURN_IF_ERROR(fill_inputs());
  make_outputs();
  spaces_[{Space::arena, 0}].cells.resize(plan_.arena_bytes);
  return Done{};
}

Status PlanMemory::fill_tensors() {
  spaces_[{Space::state, 0}].cells.resize(state_bytes(program_));
  spaces_[{Space::accumulators, 0}].cells.resize(metric_bytes(program_));
  for (const TensorInfo& tensor : program_.tensors) {
    const auto found = context_.tensors.find(tensor.name);
    if (found == context_.tensors.end()) continue;
    if (static_cast<std::int64_t>(found->second.data.size()) != element_count(tensor.type.shape)) {
      return error(fmt::format("tensor '{}' has {} elements", tensor.name, found->second.data.size()));
    }
    const bool metric = tensor.kind == TensorKind::metric;
    Bytes& space = spaces_[{metric ? Space::accumulators : Space::state, 0}];
    const std::size_t width = size_of(tensor.type.dtype);
    for (std::size_t i = 0; i < found->second.data.size(); ++i) {
      space.write(tensor.offset + i * width, width, found->second.data[i]);
    }
  }
  return Done{};
}

Status PlanMemory::fill_inputs() {
  for (std::uint32_t i = 0; i < program_.inputs.size(); ++i) {
    const InputInfo& input = program_.inputs[i];
    const auto found = context_.inputs.find(input.name);
    if (found == context_.inputs.end()) continue;
    const std::vector<double>& data = found->second.data;
    if (static_cast<std::int64_t>(data.size()) != element_count(input.type.shape) * context_.batch) {
      return error(fmt::format("input '{}' has {} elements", input.name, data.size()));
    }
    Bytes& space = spaces_[{Space::input, i}];
    const std::size_t width = size_of(input.type.dtype);
    space.cells.resize(data.size() * width);
    for (std::size_t k = 0; k < data.size(); ++k) space.write(k * width, width, data[k]);
  }
  return Done{};
}

void PlanMemory::make_outputs() {
  for (const Buffer& buffer : plan_.buffers) {
    if (buffer.space != Space::output) continue;
    Bytes& space = spaces_[{buffer.space, buffer.index}];
    const std::size_t bytes = element_count(with_batch(buffer.shape, context_.batch)) * size_of(buffer.dtype);
    space.cells.resize(std::max(space.cells.size(), buffer.offset + bytes));
  }
}

std::optional<PlanMemory::Element> PlanMemory::load(BufferId id, std::int64_t element) {
  const Buffer& buffer = plan_.buffers[id];
  const std::int64_t byte = byte_of(buffer, element);
  if (buffer.space != Space::constants) return bytes_of(buffer).read(byte, size_of(buffer.dtype));
  const std::int64_t end = byte + static_cast<std::int64_t>(size_of(buffer.dtype));
  if (byte < 0 || end > static_cast<std::int64_t>(plan_.constants.size())) return std::nullopt;
  return Element{decode_constant(&plan_.constants[byte], buffer.dtype), 0};
}

bool PlanMemory::store(BufferId id, std::int64_t element, double value, std::uint32_t time) {
  const Buffer& buffer = plan_.buffers[id];
  const bool writable = buffer.space != Space::constants && buffer.space != Space::input;
  return writable && bytes_of(buffer).write(byte_of(buffer, element), size_of(buffer.dtype), value, time);
}

std::map<std::string, HostTensor> PlanMemory::tensors() {
  std::map<std::string, HostTensor> tensors;
  for (const TensorInfo& tensor : program_.tensors) {
    const Bytes& space = spaces_[{tensor.kind == TensorKind::metric ? Space::accumulators : Space::state, 0}];
    HostTensor value{tensor.type.shape, {}};
    const std::size_t width = size_of(tensor.type.dtype);
    for (std::int64_t i = 0; i < element_count(tensor.type.shape); ++i) {
      if (const auto element = space.read(tensor.offset + i * width, width)) value.data.push_back(element->value);
    }
    if (static_cast<std::int64_t>(value.data.size()) == element_count(value.shape)) {
      tensors.emplace(tensor.name, std::move(value));
    }
  }
  return tensors;
}

}  // namespace tarn
