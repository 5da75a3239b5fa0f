// See address_parser.h.
#include "passes/plan/address_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "passes/plan/access.h"

namespace tarn {
namespace {

constexpr std::int64_t kMaxSize = kMaxExtent * kMaxExtent;

// to += a * b; whether the sum is no more than kMaxSize.
bool add_product(std::int64_t& to, std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(to, product, &to) && to <= kMaxSize &&
         to >= -kMaxSize;
}

// "2*i", "i" or "3".
Status read_term(Scanner& scan, const IndexNames& names, Linear& linear, bool negative) {
  std::int64_t factor = 1;
  std::int64_t* to = &linear.offset;
  const bool has_number = scan.peek_number();
  if (has_number) {
    TARN_TRY(factor, read_size(scan, "a number"));
  }
  if (!has_number || scan.accept('*')) {
    TARN_TRY(const std::string_view name, scan.word("an axis or a number"));
    const auto stride_along = [&](const std::vector<std::string>& indices, std::vector<std::int64_t>& strides) {
      const auto found = std::find(indices.begin(), indices.end(), name);
      return found == indices.end() ? nullptr : &strides[static_cast<std::size_t>(found - indices.begin())];
    };
    to = stride_along(names.axes, linear.strides);
    if (to == nullptr) to = stride_along(names.repeats, linear.repeat_strides);
    if (to == nullptr) return scan.fail(fmt::format("there is no axis '{}' here", name));
  }
  if (!add_product(*to, factor, negative ? -1 : 1)) return scan.fail("this number is out of range");
  return Done{};
}

}  // namespace

Result<std::string> BufferNames::declare(Scanner& scan, BufferId id) {
  TARN_TRY(std::string name, scan.name());
  if (scan.accept('$')) {
    TARN_TRY(const BufferId number, scan.number<BufferId>("the number of the buffer"));
    if (number != id) return scan.fail(fmt::format("this is buffer {}", id));
  } else if (!alone_.emplace(name, id).second) {
    return scan.fail(fmt::format("there is a buffer '{}' already: each needs its number, {}${}", name, name, id));
  }
  names_.push_back(name);
  return name;
}

Result<BufferId> BufferNames::read(Scanner& scan) const {
  const auto found = [&](const std::string& name) -> std::optional<BufferId> {
    const auto alone = alone_.find(name);
    return alone == alone_.end() ? std::nullopt : std::optional(alone->second);
  };
  TARN_TRY(const std::string name, scan.name());
  const Scanner at_name = scan;
  if (scan.accept('$')) {
    TARN_TRY(const BufferId number, scan.number<BufferId>("the number of a buffer"));
    if (number < names_.size() && names_[number] == name) return number;
    return scan.fail(fmt::format("buffer {} is not called '{}'", number, name));
  }
  if (const auto id = found(name)) return *id;
  std::vector<std::string> known;
  for (const auto& [other, id] : alone_) known.push_back(other);
  const std::optional<std::string> near = nearest_name(name, known);
  return at_name.fail(
      fmt::format("there is no buffer '{}'{}", name, near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

Result<std::int64_t> read_size(Scanner& scan, std::string_view what) {
  TARN_TRY(const std::int64_t size, scan.number<std::int64_t>(what));
  if (size < 0) return scan.fail(fmt::format("{} cannot be negative", what));
  if (size > kMaxSize) return scan.fail(fmt::format("{} cannot be more than {}", what, kMaxSize));
  return size;
}

Result<std::int64_t> read_stride(Scanner& scan) {
  const bool backwards = scan.accept('-');
  TARN_TRY(const std::int64_t stride, read_size(scan, "a stride"));
  if (stride > kMaxExtent) return scan.fail(fmt::format("a stride cannot be more than {}", kMaxExtent));
  return backwards ? -stride : stride;
}

Result<Extent> read_extent(Scanner& scan) {
  if (scan.accept_keyword("N")) return Extent{1, true};
  TARN_TRY(const std::int64_t constant, read_size(scan, "an extent"));
  if (constant > kMaxExtent) return scan.fail(fmt::format("an extent cannot be more than {}", kMaxExtent));
  return Extent{constant, scan.accept_keyword("N")};
}

Result<Linear> read_linear(Scanner& scan, const IndexNames& names) {
  Linear result;
  result.strides.resize(names.axes.size());
  result.repeat_strides.resize(names.repeats.size());
  bool negative = scan.accept('-');
  while (true) {
    TARN_RETURN_IF_ERROR(read_term(scan, names, result, negative));
    if (scan.accept('+')) {
      negative = false;
    } else if (scan.accept('-')) {
      negative = true;
    } else {
      drop_trailing_zeros(result.repeat_strides);
      return result;
    }
  }
}

Result<Bound> read_bound(Scanner& scan, const IndexNames& names) {
  Bound bound;
  TARN_TRY(bound.index, read_linear(scan, names));
  TARN_RETURN_IF_ERROR(scan.expect('<'));
  TARN_TRY(bound.limit, read_size(scan, "a limit"));
  if (bound.limit > kMaxExtent) return scan.fail(fmt::format("a limit cannot be more than {}", kMaxExtent));
  TARN_RETURN_IF_ERROR(scan.expect_keyword("by"));
  TARN_TRY(bound.stride, read_stride(scan));
  return bound;
}

bool bounds_follow(const Scanner& scan) {
  Scanner ahead = scan;
  return ahead.accept_keyword("inside");
}

Status read_indices(Scanner& scan, const IndexNames& names, const Buffer& buffer, Access& access) {
  std::size_t count = 0;
  do {
    TARN_TRY(const Linear index, read_linear(scan, names));
    if (count == buffer.shape.size()) return scan.fail(fmt::format("'{}' has {} axes", buffer.name, count));
    const std::int64_t stride = buffer.strides[count++];
    bool fits = add_product(access.at.offset, index.offset, stride);
    for (std::size_t i = 0; i < index.strides.size(); ++i) {
      fits = fits && add_product(access.at.strides[i], index.strides[i], stride);
    }
    access.at.repeat_strides.resize(names.repeats.size());
    for (std::size_t i = 0; i < index.repeat_strides.size(); ++i) {
      fits = fits && add_product(access.at.repeat_strides[i], index.repeat_strides[i], stride);
    }
    drop_trailing_zeros(access.at.repeat_strides);
    if (!fits) return scan.fail("this index is out of range");
  } while (scan.accept(',') && !bounds_follow(scan));
  if (count != buffer.shape.size() || !(scan.peek(']') || bounds_follow(scan))) {
    return scan.fail(fmt::format("'{}' has {} axes", buffer.name, buffer.shape.size()));
  }
  return Done{};
}

}  // namespace tarn
