// The sorted attribute list: look-up, equality by bits, hashing. See attributes.h.
#include "ir/attributes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "ir/diagnostics.h"
#include "ir/hash.h"
#include "ir/type.h"

namespace tarn {

namespace {

// The alternatives of AttributeValue.
enum class Kind : std::size_t { integer, number, text, integers, numbers };

struct KeyRow {
  std::string_view name;
  Kind kind;
  AxisUse use;
  std::int64_t for_samples;
};
constexpr std::array<KeyRow, kKeyCount> kKeyRows = {{
#define KEY(name, kind, use, for_samples, ...) {#name, Kind::kind, AxisUse::use, for_samples},
#include "ir/attributes.def"
}};

double canonical(double value) { return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value; }

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

bool same_bits(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<double>(&a)) return bits(*x) == bits(std::get<double>(b));
  if (const auto* x = std::get_if<std::vector<double>>(&a)) {
    const auto& y = std::get<std::vector<double>>(b);
    return std::equal(x->begin(), x->end(), y.begin(), y.end(), [](double p, double q) { return bits(p) == bits(q); });
  }
  return a == b;
}

struct HashValue {
  std::size_t seed;
  std::size_t operator()(std::int64_t v) const { return hash_with(seed, static_cast<std::uint64_t>(v)); }
  std::size_t operator()(double v) const { return hash_with(seed, bits(v)); }
  std::size_t operator()(const std::string& v) const { return hash_with(seed, std::hash<std::string>{}(v)); }
  template <class T>
  std::size_t operator()(const std::vector<T>& v) const {
    std::size_t hash = hash_with(seed, v.size());
    for (const T& element : v) hash = HashValue{hash}(element);
    return hash;
  }
};

template <class T>
const T& get_checked(const Attributes& attributes, Key key) {
  const AttributeValue* value = attributes.find(key);
  TARN_CHECK(value != nullptr && std::holds_alternative<T>(*value), std::string(name_of(key)));
  return std::get<T>(*value);
}

}  // namespace

std::string_view name_of(Key key) { return kKeyRows[static_cast<std::size_t>(key)].name; }

std::optional<Key> key_named(std::string_view name) {
  for (std::size_t i = 0; i < kKeyRows.size(); ++i) {
    if (kKeyRows[i].name == name) return static_cast<Key>(i);
  }
  return std::nullopt;
}

std::size_t kind_of(Key key) { return static_cast<std::size_t>(kKeyRows[static_cast<std::size_t>(key)].kind); }

AxisUse axis_use(Key key) { return kKeyRows[static_cast<std::size_t>(key)].use; }

std::int64_t entry_for_samples(Key key) { return kKeyRows[static_cast<std::size_t>(key)].for_samples; }

std::string_view kind_name(std::size_t kind) {
  constexpr std::array<std::string_view, 5> kNames = {"an integer", "a number", "a text", "a list of integers",
                                                      "a list of numbers"};
  return kNames[kind];
}

Attributes::Attributes(std::initializer_list<std::pair<Key, AttributeValue>> entries) {
  for (const auto& [key, value] : entries) set(key, value);
}

void Attributes::set(Key key, AttributeValue value) {
  if (auto* number = std::get_if<double>(&value)) *number = canonical(*number);
  if (auto* numbers = std::get_if<std::vector<double>>(&value)) {
    std::transform(numbers->begin(), numbers->end(), numbers->begin(), canonical);
  }
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                   [](const auto& entry, Key wanted) { return entry.first < wanted; });
  if (at != entries_.end() && at->first == key) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, key, std::move(value));
  }
}

const AttributeValue* Attributes::find(Key key) const {
  for (const auto& [entry_key, value] : entries_) {
    if (entry_key == key) return &value;
  }
  return nullptr;
}

std::int64_t Attributes::integer(Key key) const { return get_checked<std::int64_t>(*this, key); }
double Attributes::number(Key key) const { return get_checked<double>(*this, key); }
const std::string& Attributes::text(Key key) const { return get_checked<std::string>(*this, key); }
const std::vector<std::int64_t>& Attributes::integers(Key key) const {
  return get_checked<std::vector<std::int64_t>>(*this, key);
}
const std::vector<double>& Attributes::numbers(Key key) const { return get_checked<std::vector<double>>(*this, key); }

bool operator==(const Attributes& a, const Attributes& b) {
  return std::equal(a.entries_.begin(), a.entries_.end(), b.entries_.begin(), b.entries_.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && same_bits(x.second, y.second); });
}

std::size_t Attributes::hash() const {
  std::size_t hash = entries_.size();
  for (const auto& [key, value] : entries_) {
    hash = std::visit(HashValue{hash_with(hash, static_cast<std::uint64_t>(key))}, value);
  }
  return hash;
}

}  // namespace tarn
