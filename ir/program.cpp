// The tensor table: look-up, offsets and the hash of the layout. See program.h.
#include "ir/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ir/random.h"

namespace tarn {

namespace {

// One past the last byte of the block of metrics, or of all others, rounded up.
std::uint64_t end_of_block(const Program& program, bool metrics, std::uint64_t begin) {
  std::uint64_t end = begin;
  for (const TensorInfo& tensor : program.tensors) {
    if ((tensor.kind == TensorKind::metric) == metrics) end = std::max(end, tensor.offset + sample_bytes(tensor.type));
  }
  return aligned(end);
}

}  // namespace

std::string_view name_of(TensorKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"parameter", "state", "slot", "hyper", "counter", "metric"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool ValueRange::holds(double value) const {
  if (ignored && value == static_cast<double>(*ignored)) return true;
  switch (kind) {
    case Kind::any:
      return true;
    case Kind::index:
    case Kind::class_number:
      return value >= 0 && value < static_cast<double>(count) && value == std::floor(value);
    case Kind::probability:
      return value >= 0 && value <= 1;
    case Kind::sign:
      return value == -1 || value == 0 || value == 1;
  }
  return true;
}

std::string ValueRange::wanted() const {
  switch (kind) {
    case Kind::any:
      return "any number";
    case Kind::index:
      return fmt::format("an index from 0 to {}", count - 1);
    case Kind::class_number:
      return ignored && (*ignored < 0 || *ignored >= count)
                 ? fmt::format("a class from 0 to {}, or {}, which does not count", count - 1, *ignored)
                 : fmt::format("a class from 0 to {}", count - 1);
    case Kind::probability:
      return "a number from 0 to 1";
    case Kind::sign:
      return "-1, 0 or 1";
  }
  return "";
}

void ValueRange::narrow(const ValueRange& other) {
  if (other.kind == Kind::any || other == *this) return;
  if (kind == Kind::any) {
    *this = other;
    return;
  }
  // Whole numbers that are probabilities or signs, too, are 0 and 1, and so is what is both.
  const auto most = [](const ValueRange& range) { return range.counts() ? range.count : 2; };
  const Kind narrowed = counts() ? kind : other.counts() ? other.kind : Kind::class_number;
  // A class that does not count for one reader may stand in the data; of two such classes neither may.
  std::optional<std::int64_t> allowed = ignored ? ignored : other.ignored;
  if (ignored && other.ignored && *ignored != *other.ignored) allowed.reset();
  *this = {narrowed, std::min(most(*this), most(other)), allowed};
}

const TensorInfo* Program::find_tensor(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TensorInfo& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

const InputInfo* Program::find_input(std::string_view name) const {
  const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const InputInfo& i) { return i.name == name; });
  return found == inputs.end() ? nullptr : &*found;
}

DataBinding image_binding(DataBinding binding, const InputInfo& input) {
  using Encoding = DataBinding::Encoding;
  binding.name = input.name;
  // Columns, and names of arrays, are those of other data.
  binding.columns.clear();
  if (binding.array != kImage && binding.array != kClass) {
    binding.array.clear();
    if (input.role == InputRole::input) binding.array = kImage;
    if (input.role == InputRole::target) binding.array = kClass;
  }
  if (binding.array != kClass) {
    binding.encoding = Encoding::none;
  } else if (binding.encoding == Encoding::none) {
    binding.encoding = element_count(input.type.shape) > 1 ? Encoding::one_hot : Encoding::ordinal;
  }
  return binding;
}

std::uint64_t sample_bytes(const Type& type) {
  return static_cast<std::uint64_t>(element_count(type.shape)) * size_of(type.dtype);
}

void assign_offsets(Program& program) {
  std::uint64_t state = kStateHeaderBytes;
  std::uint64_t metrics = 0;
  for (TensorInfo& tensor : program.tensors) {
    std::uint64_t& next = tensor.kind == TensorKind::metric ? metrics : state;
    tensor.offset = aligned(next);
    next = tensor.offset + sample_bytes(tensor.type);
  }
}

std::uint64_t state_bytes(const Program& program) { return end_of_block(program, false, kStateHeaderBytes); }

std::uint64_t metric_bytes(const Program& program) { return end_of_block(program, true, 0); }

std::uint64_t layout_hash(const Program& program) {
  std::uint64_t hash = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.kind == TensorKind::metric) continue;
    const std::string row = tensor.name + '\0' + std::string(name_of(tensor.kind)) + '\0' + to_string(tensor.type);
    hash = mix_bits(hash ^ stream_of(row, tensor.offset));
  }
  return hash;
}

}  // namespace tarn
