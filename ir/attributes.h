// Attributes of a node: the compile-time arguments of an operation, as a short list sorted by key.
//
// The row of an operation in ops.def says which keys it takes; printer, parser and verifier know no others.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tarn {

enum class Key : std::uint8_t {
#define KEY(name, ...) name,
#include "ir/attributes.def"
};
inline constexpr std::array kKeys{
#define KEY(name, ...) Key::name,
#include "ir/attributes.def"
};
inline constexpr std::size_t kKeyCount = kKeys.size();
std::string_view name_of(Key key);
std::optional<Key> key_named(std::string_view name);

using AttributeValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

// What a value of the key is: "an integer", "a number", "a text", "a list of integers", "a list of numbers", as the
// index of its alternative in AttributeValue. Every key has one kind, whatever operation it belongs to.
std::size_t kind_of(Key key);
std::string_view kind_name(std::size_t kind);

// What an attribute has to do with axes: nothing, or it is the number of one, or numbers of some, or has an entry for
// each.
enum class AxisUse : std::uint8_t { none, number, numbers, for_each };
AxisUse axis_use(Key key);
// The entry for the axis of the samples where there is one for each: with which nothing happens to that axis.
std::int64_t entry_for_samples(Key key);

class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<Key, AttributeValue>> entries);

  // Every NaN becomes the one quiet NaN without sign, which the text form writes "nan".
  void set(Key key, AttributeValue value);
  bool has(Key key) const { return find(key) != nullptr; }
  const AttributeValue* find(Key key) const;

  // Typed reads; the key must be there with that type (TARN_CHECK).
  std::int64_t integer(Key key) const;
  double number(Key key) const;
  const std::string& text(Key key) const;
  const std::vector<std::int64_t>& integers(Key key) const;
  const std::vector<double>& numbers(Key key) const;

  const std::vector<std::pair<Key, AttributeValue>>& entries() const { return entries_; }

  // Doubles compare by bits: 0.0 and -0.0 differ, a NaN equals itself.
  friend bool operator==(const Attributes& a, const Attributes& b);
  std::size_t hash() const;

 private:
  std::vector<std::pair<Key, AttributeValue>> entries_;
};

}  // namespace tarn
