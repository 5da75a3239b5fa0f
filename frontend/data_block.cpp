// data blocks: where the rows come from and which part of them is which input or target. Nothing is read here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "frontend/data_images.h"
#include "frontend/model.h"
#include "ir/counted.h"
#include "ir/data_formats.h"

namespace tarn::elaboration {

namespace {

// Data blocks are evaluated for no function of the program.
constexpr FunctionInfo kNoFunction{"data", 0, ""};

constexpr std::int64_t kMostColumns = 1'000'000'000;

bool is_folder(const DataSource& source) {
  const DataFormat* const format = find_format(source.format);
  return format != nullptr && format->kind == DataKind::folder;
}

class DataReader {
 public:
  DataReader(Elaborator& elaborator, const ast::Data& block) : e_(elaborator), block_(block), images_(elaborator) {}

  DataSource read(const DataSource* base) {
    for (const ast::Statement& statement : block_.block.statements) {
      if (const auto* assignment = std::get_if<ast::Assignment>(&statement.node)) {
        read_binding(*assignment);
      } else if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
        read_setting(*setting);
      } else {
        e_.reports.fail(statement.span, "a data block holds sources, settings and lines like x = columns(0..4)");
      }
    }
    if (!source_.span) source_.span = block_.name ? block_.name->span : Span{};
    images_.check(source_);
    if (base != nullptr) inherit(*base);
    if (source_.format.empty())
      e_.reports.fail(source_.span ? source_.span : first_span(), "the data block names no source: csv \"file.csv\"");
    if (!source_.format.empty()) check_complete();
    return source_;
  }

 private:
  Span first_span() const {
    return block_.block.statements.empty() ? Span{e_.main_module->file, 1, 1, 1} : block_.block.statements.front().span;
  }

  std::vector<std::string> input_names() const {
    std::vector<std::string> names;
    for (const InputInfo& input : e_.program.inputs) names.push_back(input.name);
    return names;
  }

  // "validation" and "test" take over what they do not say themselves.
  void inherit(const DataSource& base) {
    for (DataBinding binding : base.bindings) {
      if (is_folder(base) && !is_folder(source_)) binding.array.clear();
      const bool own = std::any_of(source_.bindings.begin(), source_.bindings.end(),
                                   [&](const DataBinding& b) { return b.name == binding.name; });
      if (!own) source_.bindings.push_back(binding);
    }
    if (!source_.header) source_.header = base.header;
    if (source_.separator == 0) source_.separator = base.separator;
    if (!says_drop_missing_) source_.drop_missing = base.drop_missing;
    images_.inherit(source_.images, base.images);
  }

  void check_complete() {
    const DataKind kind = find_format(source_.format)->kind;
    if (kind == DataKind::archive) return;
    if (kind == DataKind::folder) return images_.complete(source_, attempted_);
    for (const InputInfo& input : e_.program.inputs) {
      const bool bound =
          source_.files.contains(input.name) || std::any_of(source_.bindings.begin(), source_.bindings.end(),
                                                            [&](const DataBinding& b) { return b.name == input.name; });
      if (bound || attempted_.contains(input.name)) continue;
      const std::string fix = kind == DataKind::table ? fmt::format("{} = columns(…)", input.name)
                                                      : fmt::format("{} {} = \"file\"", source_.format, input.name);
      e_.reports.fail(source_.span, fmt::format("the data block does not say where '{}' is: {}", input.name, fix));
    }
  }

  void read_source(const ast::Setting& setting) {
    if (!source_.format.empty()) {
      e_.reports.fail(setting.key.span, "a data block has one source, and this is another");
      return;
    }
    source_.format = setting.key.name;
    source_.span = setting.key.span;
    const bool single = find_format(source_.format)->holds_all();
    const std::string_view container = find_format(source_.format)->container();
    const std::string example = container == "file" ? fmt::format("file.{}", source_.format) : std::string(container);
    for (const ast::Argument& argument : setting.arguments) {
      const Value value = e_.evaluator.evaluate(*argument.value);
      const auto* path = value.get<std::string>();
      if (value.is_error()) continue;
      if (path == nullptr || path->empty()) {
        e_.reports.fail(argument.value->span, fmt::format("the name of a {} is needed here, not {}", container,
                                                          path ? "an empty string" : kind_of(value)));
      } else if (single != !argument.name) {
        e_.reports.fail(
            argument.value->span,
            single ? fmt::format("{0} takes the name of a {1}: {0} \"{2}\"", source_.format, container, example)
                   : fmt::format("{0} takes a file for each input: {0} x = \"x\"", source_.format));
      } else if (argument.name) {
        check_name(*argument.name);
        source_.files[argument.name->name] = *path;
      } else {
        source_.files[""] = *path;
      }
    }
    if (setting.arguments.empty() || (single && setting.arguments.size() > 1))
      e_.reports.fail(setting.key.span,
                      fmt::format("'{}' needs the name of {}", source_.format,
                                  single ? fmt::format("one {}", container) : "a file for each input"));
  }

  bool check_name(const ast::Identifier& name) {
    if (e_.program.find_input(name.name) != nullptr) return true;
    e_.reports.fail(name.span, fmt::format("the model has no input or target '{}'{}", name.name,
                                           did_you_mean(name.name, input_names())));
    return false;
  }

  const ast::Expression* only_argument(const ast::Setting& setting) {
    if (setting.arguments.size() == 1 && !setting.arguments[0].name) return setting.arguments[0].value.get();
    e_.reports.fail(setting.key.span, fmt::format("'{}' needs one value", setting.key.name));
    return nullptr;
  }

  void read_setting(const ast::Setting& setting) {
    const std::string& key = setting.key.name;
    if (find_format(key) != nullptr) return read_source(setting);
    if (images_.read(setting, source_.images)) return;
    if (key == "drop_missing") {
      source_.drop_missing = says_drop_missing_ = true;
      if (setting.arguments.empty()) return;
      const ast::Expression* value = only_argument(setting);
      if (value != nullptr)
        source_.drop_missing =
            e_.readings.to_truth(e_.evaluator.evaluate(*value), value->span, "drop_missing").value_or(true);
    } else if (key == "header") {
      const ast::Expression* value = only_argument(setting);
      if (value != nullptr) source_.header = e_.readings.to_truth(e_.evaluator.evaluate(*value), value->span, "header");
    } else if (key == "shuffle_rows") {
      const ast::Expression* value = only_argument(setting);
      const auto seed = value != nullptr ? e_.readings.to_integer(e_.evaluator.evaluate(*value), value->span,
                                                                  "the seed of shuffle_rows")
                                         : std::nullopt;
      if (seed && *seed < 0) e_.reports.fail(value->span, "a seed cannot be negative");
      if (seed && *seed >= 0) source_.shuffle_rows = static_cast<std::uint64_t>(*seed);
    } else if (key == "separator") {
      const ast::Expression* value = only_argument(setting);
      const Value given = value != nullptr ? e_.evaluator.evaluate(*value) : Value();
      const auto* text = given.get<std::string>();
      if (text != nullptr && text->size() == 1 && std::string(",;\t").find(*text) != std::string::npos) {
        source_.separator = text->front();
      } else if (value != nullptr && !given.is_error()) {
        e_.reports.fail(value->span, "the separator must be \",\", \";\" or \"\\t\"");
      }
    } else {
      std::vector<std::string> keys;
      for (const DataFormat& format : data_formats()) keys.emplace_back(format.name);
      keys.insert(keys.end(), {"drop_missing", "shuffle_rows", "header", "separator"});
      keys.insert(keys.end(), ImageLines::kKeys.begin(), ImageLines::kKeys.end());
      e_.reports.fail(setting.key.span, fmt::format("'{}' is not a key of data{}", key, did_you_mean(key, keys)));
    }
  }

  void read_binding(const ast::Assignment& assignment) {
    if (assignment.targets.size() != 1) {
      e_.reports.fail(assignment.targets[1].span, "each input and target has a line of its own");
      return;
    }
    const ast::Identifier& name = assignment.targets[0];
    attempted_.insert(name.name);
    if (!check_name(name)) return;
    if (std::any_of(source_.bindings.begin(), source_.bindings.end(),
                    [&](const DataBinding& b) { return b.name == name.name; })) {
      e_.reports.fail(name.span, fmt::format("'{}' is said twice", name.name));
      return;
    }
    DataBinding binding;
    binding.name = name.name;
    binding.span = assignment.value->span;
    if (!read_part(*assignment.value, binding)) return;
    check_width(binding, *e_.program.find_input(name.name), assignment.value->span);
    source_.bindings.push_back(std::move(binding));
  }

  // Where the number of columns is known now, it must fill the input.
  void check_width(const DataBinding& binding, const InputInfo& input, Span span) {
    // After an error the shape may not be what was meant.
    if (has_errors(e_.reports.diagnostics)) return;
    if (binding.columns.empty() || binding.encoding == DataBinding::Encoding::ordinal) return;
    std::int64_t width = 0;
    for (const DataBinding::Column& column : binding.columns) {
      if (!column.last.empty()) return;
      width += column.first_index >= 0 ? column.last_index - column.first_index : 1;
    }
    if (binding.encoding == DataBinding::Encoding::one_hot) {
      if (binding.classes == 0) return;
      width *= binding.classes;
    }
    const std::int64_t wanted = element_count(input.type.shape);
    if (width != wanted) {
      const bool may_be_label =
          width == 1 && input.role == InputRole::target && binding.encoding == DataBinding::Encoding::none;
      e_.reports.fail(span, fmt::format("'{}' has the shape {}, and this gives {} a row{}", input.name,
                                        to_string(input.type.shape), counted(width, "number"),
                                        may_be_label ? fmt::format("; of a label one_hot({}) makes {}",
                                                                   e_.reports.source_text(span), wanted)
                                                     : ""));
    }
  }

  bool read_part(const ast::Expression& expression, DataBinding& binding) {
    if (const auto* name = std::get_if<ast::Name>(&expression.node)) {
      binding.array = name->name;
      return true;
    }
    const auto* call = std::get_if<ast::Call>(&expression.node);
    const auto* callee = call != nullptr ? std::get_if<ast::Name>(&call->callee->node) : nullptr;
    const std::vector<std::string> known = {"columns", "column", "array", "one_hot", "ordinal", "scale"};
    if (callee == nullptr || std::find(known.begin(), known.end(), callee->name) == known.end()) {
      const std::string near = callee != nullptr ? did_you_mean(callee->name, known) : std::string();
      e_.reports.fail(
          callee != nullptr ? call->callee->span : expression.span,
          "a part of the data is columns(…), column(…) or array(…), with one_hot, ordinal or scale around it" + near);
      return false;
    }
    if (callee->name == "columns" || callee->name == "column")
      return read_columns(*call, callee->name == "column", expression.span, binding);
    if (callee->name == "array") return read_array(*call, expression.span, binding);
    return read_transform(*call, callee->name, expression.span, binding);
  }

  bool read_transform(const ast::Call& call, const std::string& name, Span span, DataBinding& binding) {
    if (call.arguments.empty() || call.arguments.size() > 2 || call.arguments[0].name ||
        (name == "scale" && call.arguments.size() != 2)) {
      e_.reports.fail(span, name == "scale"
                                ? "scale takes a part of the data and a factor: scale(columns(0..4), 1/255)"
                                : fmt::format("{0} takes a part of the data: {0}(column(\"species\"))", name));
      return false;
    }
    if (!read_part(*call.arguments[0].value, binding)) return false;
    if (name == "scale") {
      const ast::Expression& factor = *call.arguments[1].value;
      const auto number = e_.readings.to_number(e_.evaluator.evaluate(factor), factor.span, "the factor");
      if (!number) return false;
      binding.scale *= *number;
      return true;
    }
    if (binding.encoding != DataBinding::Encoding::none) {
      e_.reports.fail(span, "labels are encoded once");
      return false;
    }
    binding.encoding = name == "one_hot" ? DataBinding::Encoding::one_hot : DataBinding::Encoding::ordinal;
    if (call.arguments.size() == 2) {
      const ast::Expression& classes = *call.arguments[1].value;
      const auto count = e_.readings.to_integer(e_.evaluator.evaluate(classes), classes.span, "the number of classes");
      if (count && *count < 1)
        e_.reports.fail(classes.span, fmt::format("there must be at least one class, not {}", *count));
      if (!count || *count < 1) return false;
      binding.classes = *count;
    }
    return true;
  }

  bool read_array(const ast::Call& call, Span span, DataBinding& binding) {
    const Value value =
        call.arguments.size() == 1 ? e_.evaluator.evaluate(*call.arguments[0].value) : Value(NoneValue{});
    const auto* name = value.get<std::string>();
    if (name == nullptr && !value.is_error())
      e_.reports.fail(span, "array takes the name of an array in the file: array(\"x_train\")");
    if (name == nullptr) return false;
    binding.array = *name;
    return true;
  }

  bool read_columns(const ast::Call& call, bool single, Span span, DataBinding& binding) {
    if (call.arguments.empty() || (single && call.arguments.size() != 1)) {
      e_.reports.fail(span, single ? "column takes the name or number of one column"
                                   : "columns takes names, numbers or ranges: columns(\"a\"..\"d\"), columns(0..4)");
      return false;
    }
    for (const ast::Argument& argument : call.arguments) {
      if (!read_column(*argument.value, single, binding)) return false;
    }
    return true;
  }

  bool read_column(const ast::Expression& expression, bool single, DataBinding& binding) {
    DataBinding::Column column;
    column.span = expression.span;
    if (const auto* range = std::get_if<ast::Binary>(&expression.node);
        range != nullptr && range->op == ast::BinaryOperator::range && !single) {
      const Value first = e_.evaluator.evaluate(*range->left), last = e_.evaluator.evaluate(*range->right);
      if (first.is<std::string>() && last.is<std::string>()) {
        column.first = *first.get<std::string>();
        column.last = *last.get<std::string>();
      } else {
        const auto begin = e_.readings.to_integer(first, range->left->span, "the first column"),
                   end = e_.readings.to_integer(last, range->right->span, "the last column");
        if (!begin || !end) return false;
        if (*begin < 0 || *end <= *begin || *end > kMostColumns) {
          e_.reports.fail(
              expression.span,
              fmt::format("{}..{} is not a range of columns: they count from 0, and the end is not included", *begin,
                          *end));
          return false;
        }
        column.first_index = *begin;
        column.last_index = *end;
      }
    } else {
      const Value value = e_.evaluator.evaluate(expression);
      if (const auto* name = value.get<std::string>()) {
        column.first = *name;
      } else {
        const auto number = e_.readings.to_integer(value, expression.span, "a column");
        if (number && (*number < 0 || *number >= kMostColumns))
          e_.reports.fail(expression.span, "columns count from 0");
        if (!number || *number < 0 || *number >= kMostColumns) return false;
        column.first_index = *number;
        column.last_index = *number + 1;
      }
    }
    binding.columns.push_back(std::move(column));
    return true;
  }

  Elaborator& e_;
  const ast::Data& block_;
  ImageLines images_;
  DataSource source_;
  bool says_drop_missing_ = false;
  std::set<std::string> attempted_;  // names that have a line, right or wrong
};

}  // namespace

void read_data_blocks(Elaborator& e, const std::vector<const ast::Data*>& blocks) {
  // Constants of the file may stand in the blocks; there is no graph.
  const std::unique_ptr<GraphContext> scratch = e.graphs.make(kNoFunction);
  const Graphs::Working working(e.graphs, *scratch);
  Activation top{&e.names.root, {}};
  e.names.activation = &top;
  const NamesAtWork::Inside names(e.names, nullptr, e.main_module);
  // The block without a name comes first: the others inherit from it.
  std::vector<const ast::Data*> ordered;
  for (const bool named : {false, true}) {
    for (const ast::Data* block : blocks) {
      if (block->name.has_value() == named) ordered.push_back(block);
    }
  }
  for (const ast::Data* block : ordered) {
    const std::string name = block->name ? block->name->name : "";
    if (block->name && name != "validation" && name != "test") {
      e.reports.fail(block->name->span, fmt::format("data blocks are called validation or test, not '{}'{}", name,
                                                    did_you_mean(name, {"validation", "test"})));
      continue;
    }
    if (e.program.data.contains(name)) {
      const Span span = block->name                       ? block->name->span
                        : block->block.statements.empty() ? Span{}
                                                          : block->block.statements.front().span;
      e.reports.fail(span, name.empty() ? "a file has one data block without a name"
                                        : fmt::format("there is another data block '{}'", name));
      continue;
    }
    const auto base = e.program.data.find("");
    e.program.data[name] =
        DataReader(e, *block).read(base == e.program.data.end() || name.empty() ? nullptr : &base->second);
  }
  e.names.activation = nullptr;
}

}  // namespace tarn::elaboration
