// See spread_plan.h.
#include "tests/support/compiler/spread_plan.h"

#include <algorithm>
#include <tuple>

namespace tarn::testing {

namespace {

bool is_spread(Space space) { return space != Space::input && space != Space::output; }

// Tensors whole, whatever part of them a buffer is.
SpreadRegion region_of(const Program& program, const KernelPlan& plan, const Buffer& buffer) {
  const std::uint64_t end = buffer.offset + bytes_of(buffer, plan.max_batch);
  SpreadRegion region{buffer.space, buffer.offset, end, 0};
  for (const TensorInfo& tensor : program.tensors) {
    const Space space = tensor.kind == TensorKind::metric ? Space::accumulators : Space::state;
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(element_count(tensor.type.shape)) * size_of(tensor.type.dtype);
    if (space != buffer.space || buffer.offset < tensor.offset || end > tensor.offset + bytes) continue;
    region.begin = tensor.offset;
    region.end = tensor.offset + bytes;
  }
  return region;
}

}  // namespace

std::vector<SpreadRegion> spread_buffers(Program& program, KernelPlan& plan) {
  std::vector<SpreadRegion> found, regions;
  for (const Buffer& buffer : plan.buffers) {
    if (is_spread(buffer.space)) found.push_back(region_of(program, plan, buffer));
  }
  const auto key = [](const SpreadRegion& region) { return std::tie(region.space, region.begin, region.end); };
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  for (const SpreadRegion& region : found) {
    if (region.begin == region.end) continue;
    if (!regions.empty() && regions.back().space == region.space && region.begin < regions.back().end) {
      regions.back().end = std::max(regions.back().end, region.end);
      continue;
    }
    regions.push_back(region);
    regions.back().input = static_cast<std::uint32_t>(program.inputs.size());
    InputInfo array;
    array.name = "region" + std::to_string(regions.size());
    array.type = {DType::boolean, true, {}};
    program.inputs.push_back(std::move(array));
  }
  for (Buffer& buffer : plan.buffers) {
    const auto holds = [&](const SpreadRegion& region) {
      return region.space == buffer.space && region.begin <= buffer.offset && buffer.offset < region.end;
    };
    const auto region = std::find_if(regions.begin(), regions.end(), holds);
    if (!is_spread(buffer.space) || region == regions.end()) continue;
    buffer.space = Space::input;
    buffer.index = region->input;
    buffer.offset -= region->begin;
  }
  return regions;
}

}  // namespace tarn::testing
