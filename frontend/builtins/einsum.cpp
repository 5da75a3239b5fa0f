// einsum("nhd,mhd->hnm", a, b): letters name axes, those that the result leaves out are summed over.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "frontend/builtins/builtins.h"
#include "ir/counted.h"

namespace tarn::elaboration {

namespace {

struct Letters {
  std::vector<std::string> operands;
  std::string result;
};

constexpr char kForm[] = "letters have the form \"nk,km->nm\"";

// What is wrong with the letters of one side, or "".
std::string check_letters(const std::string& letters) {
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const char c = letters[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return fmt::format("'{}' is not a letter", c);
    if (letters.find(c, i + 1) != std::string::npos) return fmt::format("'{}' stands twice in \"{}\"", c, letters);
  }
  return {};
}

std::optional<Letters> parse(BuiltinCall& call, const std::string& given) {
  Elaborator& e = call.elaborator;
  std::string text;
  std::copy_if(given.begin(), given.end(), std::back_inserter(text), [](char c) { return c != ' '; });
  const std::size_t arrow = text.find("->");
  if (arrow == std::string::npos) {
    e.reports.fail(call.span_of(0), "the letters of einsum need an arrow", "call", kForm);
    return std::nullopt;
  }
  Letters letters;
  letters.result = text.substr(arrow + 2);
  std::string left = text.substr(0, arrow);
  for (std::size_t comma; (comma = left.find(',')) != std::string::npos; left = left.substr(comma + 1))
    letters.operands.push_back(left.substr(0, comma));
  letters.operands.push_back(left);
  std::vector<std::string> sides = letters.operands;
  sides.push_back(letters.result);
  for (const std::string& side : sides) {
    if (std::string wrong = check_letters(side); !wrong.empty()) {
      e.reports.fail(call.span_of(0), wrong, "call", kForm);
      return std::nullopt;
    }
  }
  for (char c : letters.result) {
    if (text.substr(0, arrow).find(c) == std::string::npos) {
      e.reports.fail(call.span_of(0), fmt::format("'{}' is in the result but in no operand", c), "call", kForm);
      return std::nullopt;
    }
  }
  return letters;
}

// The operand without the axes whose letters appear nowhere else, and its letters without theirs.
NodeId sum_lonely(Elaborator& e, NodeId node, std::string& letters, const std::string& elsewhere) {
  std::vector<std::int64_t> axes;
  std::string kept;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (elsewhere.find(letters[i]) == std::string::npos) {
      axes.push_back(static_cast<std::int64_t>(i));
    } else {
      kept += letters[i];
    }
  }
  letters = kept;
  return e.graphs.builder().sum(node, axes);
}

Value permute(Elaborator& e, NodeId node, const std::string& letters, const std::string& result) {
  std::vector<std::int64_t> axes;
  for (char c : result) axes.push_back(static_cast<std::int64_t>(letters.find(c)));
  return e.graphs.tensor(e.graphs.builder().transpose(node, axes));
}

}  // namespace

Value run_einsum(BuiltinCall& call) {
  Elaborator& e = call.elaborator;
  const auto* text = call.value(0).get<std::string>();
  if (text == nullptr)
    return e.reports.fail(call.span_of(0), "einsum begins with a string of letters, as in einsum(\"nk,km->nm\", a, b)");
  const auto letters = parse(call, *text);
  if (!letters) return ErrorValue{};
  const std::size_t count = call.has(2) ? 2 : 1;
  if (letters->operands.size() != count) {
    return e.reports.fail(
        call.span, fmt::format("the letters name {} operands, and {} are given", letters->operands.size(), count),
        "call", "einsum takes one or two");
  }
  std::vector<NodeId> nodes;
  std::array<std::int64_t, 128> extents{};
  for (std::size_t i = 0; i < count; ++i) {
    const std::optional<NodeId> node = e.nodes.to_floating(call.value(i + 1), call.span_of(i + 1));
    if (!node) return ErrorValue{};
    nodes.push_back(*node);
    const Shape shape = e.graphs.builder().shape(*node);
    const std::string& names = letters->operands[i];
    if (shape.size() != names.size()) {
      return e.reports.fail(call.span_of(i + 1), fmt::format("\"{}\" names {}, and the operand has the shape {}", names,
                                                             counted(names.size(), "axis", "axes"), to_string(shape)));
    }
    for (std::size_t k = 0; k < names.size(); ++k) {
      std::int64_t& extent = extents[static_cast<unsigned char>(names[k])];
      if (extent != 0 && extent != shape[k]) {
        return e.reports.fail(call.span, fmt::format("the axis '{}' has {} in one operand and {} in the other",
                                                     names[k], extent, shape[k]));
      }
      extent = shape[k];
    }
  }
  if (!e.reports.spend(1, call.span)) return ErrorValue{};
  e.nodes.locate(call.span);
  std::string first = letters->operands[0];
  if (count == 1) return permute(e, sum_lonely(e, nodes[0], first, letters->result), first, letters->result);
  std::string second = letters->operands[1];
  const NodeId a = sum_lonely(e, nodes[0], first, second + letters->result);
  const NodeId b = sum_lonely(e, nodes[1], second, first + letters->result);
  const DType type = e.graphs.builder().type(a).dtype == DType::f64 || e.graphs.builder().type(b).dtype == DType::f64
                         ? DType::f64
                         : DType::f32;
  const auto node =
      e.nodes.make(Op::contract, {e.nodes.convert(a, type), e.nodes.convert(b, type)},
                   {{Key::map, first + "," + second + "->" + letters->result}}, nullptr, call.span, "einsum");
  return node ? e.graphs.tensor(*node) : Value(ErrorValue{});
}

}  // namespace tarn::elaboration
