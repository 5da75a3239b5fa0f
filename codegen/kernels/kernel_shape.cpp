// Kernels with their buffers and streams numbered in the order of first use. See kernel_shape.h.
#include "codegen/kernels/kernel_shape.h"

#include <algorithm>

#include "codegen/kernels/key_writer.h"

namespace tarn {

namespace {

// The number of `value` in `known`, to which it is added where it is new.
template <typename T>
T number_of(std::vector<T>& known, T value) {
  const auto at = std::find(known.begin(), known.end(), value);
  const auto number = static_cast<T>(at - known.begin());
  if (at == known.end()) known.push_back(value);
  return number;
}

template <typename T>
std::size_t position(const std::vector<T>& known, T value) {
  const auto at = std::find(known.begin(), known.end(), value);
  TARN_CHECK(at != known.end(), "a kernel uses what its shape does not have");
  return static_cast<std::size_t>(at - known.begin());
}

}  // namespace

std::size_t KernelShape::offset_of(BufferId buffer) const { return position(buffers, buffer); }

std::size_t KernelShape::stream(std::uint64_t stream) const { return buffers.size() + position(streams, stream); }

KernelShape shape_of(const KernelPlan& plan, const Kernel& kernel) {
  KernelShape shape;
  Kernel numbered = kernel;
  KernelBody& body = numbered.body;
  for_each_buffer(body, [&](BufferId& buffer) { buffer = number_of(shape.buffers, buffer); });
  for_each_body(body, [&](Body& part) {
    for (Value& value : part.values) {
      if (value.kind == Value::Kind::draw) value.stream = number_of(shape.streams, value.stream);
    }
  });
  std::vector<Buffer> places;
  for (const BufferId id : shape.buffers) {
    const Buffer& buffer = plan.buffers[id];
    places.push_back({{}, buffer.space, buffer.index, 0, buffer.dtype, {}, {}});
    shape.parameters.push_back(buffer.offset);
  }
  shape.parameters.insert(shape.parameters.end(), shape.streams.begin(), shape.streams.end());
  shape.parameters.push_back(plan.arena_bytes);
  shape.key = kernel_key(numbered, places, plan.max_batch);
  return shape;
}

std::string kernel_key(const Kernel& kernel, const std::vector<Buffer>& buffers, std::int64_t max_batch) {
  KeyWriter key;
  key.put_all(kernel, buffers, max_batch);
  return key.bytes();
}

}  // namespace tarn
