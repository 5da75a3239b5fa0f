// The parsing half of the text form. See text.h. It reads the text once, without recursion; whatever it accepts passes
// verify().
#include <fmt/format.h>

#include <unordered_map>

#include "ir/builder.h"
#include "ir/text.h"
#include "ir/text_parts.h"
#include "ir/type_rules.h"

namespace tarn {

namespace {

class GraphReader {
 public:
  GraphReader(Scanner& scan, LocationReader& locations, std::shared_ptr<Locations> shared)
      : scan_(scan), locations_(locations), graph_(std::move(shared)), builder_(graph_) {}

  Result<NamedGraph> read() {
    if (!scan_.accept_keyword("graph")) return scan_.fail_expected("'graph'");
    TARN_TRY(std::string name, scan_.name());
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    while (!scan_.accept('}')) {
      if (scan_.accept('%')) {
        TARN_RETURN_IF_ERROR(node());
      } else if (scan_.accept_keyword("result")) {
        TARN_RETURN_IF_ERROR(result());
      } else {
        return scan_.fail_expected("a node, 'result' or '}'");
      }
    }
    TARN_RETURN_IF_ERROR(verify(graph_));
    return NamedGraph{std::move(name), std::move(graph_)};
  }

 private:
  Status node() {
    TARN_TRY(const std::string label, new_label());
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    TARN_TRY(const Type stated, read_type(scan_));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(const Op op, operation());
    const Scanner at_operation = scan_;
    TARN_TRY(std::vector<NodeId> inputs, operands());
    TARN_TRY(Attributes attributes, attribute_list());
    TARN_TRY(const LocationId where, locations_.read(scan_, *graph_.locations()));
    builder_.set_location(where);
    const Result<NodeId> made = builder_.try_make(op, std::move(inputs), std::move(attributes), &stated);
    if (!made) return at_operation.fail(fmt::format("{}: {}", name_of(op), made.error().front().message));
    if (builder_.type(*made) != stated) {
      const std::string right = to_string(builder_.type(*made));
      return at_operation.fail(fmt::format("the type of %{} is {}, not {}", label, right, to_string(stated)));
    }
    labels_.emplace(label, *made);
    return Done{};
  }

  Result<std::string> new_label() {
    TARN_TRY(const std::string_view label, scan_.word("the name of a node"));
    std::string text(label);
    if (labels_.count(text) != 0) return scan_.fail(fmt::format("%{} is there already", label));
    return text;
  }

  Result<Op> operation() {
    TARN_TRY(const std::string_view name, scan_.word("an operation"));
    const std::optional<Op> op = op_named(name);
    if (!op) return scan_.fail(fmt::format("'{}' is no operation", name));
    return *op;
  }

  Result<NodeId> known_label() {
    TARN_RETURN_IF_ERROR(scan_.expect('%'));
    TARN_TRY(const std::string_view label, scan_.word("the name of a node"));
    const auto found = labels_.find(std::string(label));
    if (found == labels_.end()) return scan_.fail(fmt::format("there is no %{} before this", label));
    return found->second;
  }

  Result<std::vector<NodeId>> operands() {
    std::vector<NodeId> inputs;
    TARN_RETURN_IF_ERROR(scan_.expect('('));
    while (!scan_.accept(')')) {
      if (!inputs.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const NodeId input, known_label());
      inputs.push_back(input);
    }
    return inputs;
  }

  Result<Attributes> attribute_list() {
    Attributes attributes;
    if (!scan_.accept('{')) return attributes;
    while (!scan_.accept('}')) {
      if (!attributes.entries().empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const std::string_view name, scan_.word("an attribute"));
      const std::optional<Key> key = key_named(name);
      if (!key) return scan_.fail(fmt::format("'{}' is no attribute", name));
      if (attributes.has(*key)) return scan_.fail(fmt::format("'{}' stands twice", name));
      TARN_RETURN_IF_ERROR(scan_.expect('='));
      TARN_TRY(AttributeValue value, attribute_value(*key));
      attributes.set(*key, std::move(value));
    }
    return attributes;
  }

  // The key says what kind of value it has, so that "1" may be an integer or a number.
  Result<AttributeValue> attribute_value(Key key) {
    switch (kind_of(key)) {
      case 0:
        return as_value(scan_.number<std::int64_t>("an integer"));
      case 1:
        return as_value(scan_.number<double>("a number"));
      case 2:
        return as_value(scan_.string("a string"));
      case 3:
        return as_value(list<std::int64_t>("an integer"));
      default:
        return as_value(list<double>("a number"));
    }
  }

  template <class T>
  static Result<AttributeValue> as_value(Result<T> result) {
    if (!result) return std::move(result).error();
    return AttributeValue(std::move(result).value());
  }

  template <class T>
  Result<std::vector<T>> list(std::string_view what) {
    std::vector<T> values;
    TARN_RETURN_IF_ERROR(scan_.expect('['));
    while (!scan_.accept(']')) {
      if (!values.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const T value, scan_.number<T>(what));
      values.push_back(value);
    }
    return values;
  }

  Status result() {
    TARN_TRY(const ResultKind kind, read_result_kind(scan_));
    TARN_TRY(std::string name, scan_.string("the name of a result"));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(const NodeId node, known_label());
    graph_.add_result(kind, std::move(name), node);
    return Done{};
  }

  Scanner& scan_;
  LocationReader& locations_;
  Graph graph_;
  Builder builder_;
  std::unordered_map<std::string, NodeId> labels_;
};

}  // namespace

Result<NamedGraph> read_graph(Scanner& scan, LocationReader& locations, std::shared_ptr<Locations> shared) {
  return GraphReader(scan, locations, std::move(shared)).read();
}

Result<NamedGraph> parse_graph(std::string_view text, const std::string& text_name, Sources& sources) {
  Scanner scan(text, sources.add(text_name, std::string(text)));
  LocationReader locations(sources);
  TARN_TRY(NamedGraph read, read_graph(scan, locations, std::make_shared<Locations>()));
  if (!scan.at_end()) return scan.fail("nothing is expected behind the graph");
  return read;
}

}  // namespace tarn
