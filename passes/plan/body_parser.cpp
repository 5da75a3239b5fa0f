// See body_parser.h.
#include "passes/plan/body_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "passes/plan/access.h"
#include "passes/plan/words.h"

namespace tarn {

namespace {

bool reduces(Op op) { return info(op).reduction.has_value(); }

}  // namespace

Result<BodyParser::Parsed> BodyParser::parse() {
  while (true) {
    const Scanner before = scan_;
    const bool is_string = scan_.peek('"');
    const std::string_view word = scan_.accept_word();
    if (const auto number = plan_words::numbered(word, 't')) {
      TARN_RETURN_IF_ERROR(definition(*number));
    } else if (const auto reduction_number = plan_words::numbered(word, 'r')) {
      TARN_RETURN_IF_ERROR(reduction(*reduction_number));
    } else if (word == "order") {
      TARN_RETURN_IF_ERROR(order());
      break;
    } else if (!word.empty() && word == place_.gives) {
      TARN_RETURN_IF_ERROR(given());
      if (scan_.accept_keyword("order")) TARN_RETURN_IF_ERROR(order());
      break;
    } else if (is_string || (!word.empty() && !plan_words::is_reserved(word))) {
      scan_ = before;
      TARN_RETURN_IF_ERROR(store());
    } else {
      scan_ = before;
      break;
    }
  }
  TARN_RETURN_IF_ERROR(finish());
  return std::move(parsed_);
}

Status BodyParser::definition(std::uint32_t number) {
  if (named_.contains(number)) return scan_.fail(fmt::format("t{} is there already", number));
  TARN_RETURN_IF_ERROR(scan_.expect('='));
  TARN_TRY(const ValueId id, expression(true));
  named_.emplace(number, id);
  return Done{};
}

Status BodyParser::reduction(std::uint32_t number) {
  if (!place_.has_reductions) return scan_.fail("a tail reduces nothing");
  if (number != parsed_.reductions.size()) {
    return scan_.fail(fmt::format("r{} is expected here", parsed_.reductions.size()));
  }
  std::optional<DType> dtype;
  if (scan_.accept(':')) {
    TARN_TRY(dtype, read_dtype(scan_));
  }
  TARN_RETURN_IF_ERROR(scan_.expect('='));
  TARN_TRY(const std::string_view name, scan_.word("a reduction"));
  const bool multiply_add = name == plan_words::kMultiplyAdd;
  const std::optional<Op> op = multiply_add ? Op::reduce_sum : op_named(name);
  if (!op || !reduces(*op)) return scan_.fail(fmt::format("'{}' is no reduction", name));
  for (const std::string& word : place_.over) TARN_RETURN_IF_ERROR(scan_.expect_keyword(word));
  TARN_RETURN_IF_ERROR(scan_.expect_keyword("of"));
  TARN_TRY(const ValueId value, expression());
  parsed_.reductions.push_back(
      {*op, value, dtype.value_or(gives_index(*op) ? DType::i32 : parsed_.body.values[value].dtype), multiply_add});
  return Done{};
}

Status BodyParser::given() {
  TARN_RETURN_IF_ERROR(scan_.expect('='));
  TARN_TRY(parsed_.given, expression());
  return Done{};
}

Status BodyParser::store() {
  if (!place_.gives.empty()) return scan_.fail("an operand of a product stores nothing");
  Store store;
  TARN_TRY(store.access, access());
  store.accumulate = scan_.accept_sign("+=");
  if (!store.accumulate) TARN_RETURN_IF_ERROR(scan_.expect('='));
  TARN_TRY(store.value, expression());
  if (scan_.accept_keyword("if")) {
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("finite"));
    store.guarded = true;
  }
  parsed_.body.stores.push_back(std::move(store));
  return Done{};
}

Status BodyParser::order() {
  const std::size_t count = parsed_.body.values.size();
  std::vector<bool> taken(count, false);
  while (scan_.peek_number()) {
    const Scanner at_range = scan_;
    TARN_TRY(const ValueId first, scan_.number<ValueId>("the number of a value"));
    ValueId last = first;
    if (scan_.accept('-')) {
      TARN_TRY(last, scan_.number<ValueId>("the number of a value"));
    }
    if (last < first || last >= count) return at_range.fail(fmt::format("the body has values 0 to {}", count - 1));
    for (ValueId id = first; id <= last; ++id) {
      if (taken[id]) return at_range.fail(fmt::format("value {} stands twice", id));
      taken[id] = true;
      order_.push_back(id);
    }
  }
  if (order_.size() != count) return scan_.fail(fmt::format("{} of {} values are listed", order_.size(), count));
  return Done{};
}

// Values get their numbers.
Status BodyParser::finish() {
  std::vector<Value>& values = parsed_.body.values;
  if (order_.empty()) {
    order_.resize(values.size());
    std::iota(order_.begin(), order_.end(), 0U);
  }
  for (const auto& [number, id] : named_) {
    if (order_[id] != number) return scan_.fail(fmt::format("t{} is value {} of the body", number, order_[id]));
  }
  std::vector<Value> sorted(values.size());
  for (ValueId id = 0; id < values.size(); ++id) {
    Value& value = sorted[order_[id]] = std::move(values[id]);
    for (ValueId& operand : value.operands) operand = order_[operand];
    if (value.access.row != kNoValue) value.access.row = order_[value.access.row];
    const auto is_later = [&](ValueId operand) { return operand >= order_[id]; };
    if (std::any_of(value.operands.begin(), value.operands.end(), is_later) ||
        (value.access.row != kNoValue && is_later(value.access.row))) {
      return scan_.fail(fmt::format("value {} stands before what it is computed from", order_[id]));
    }
  }
  values = std::move(sorted);
  for (Store& store : parsed_.body.stores) {
    store.value = order_[store.value];
    if (store.access.row != kNoValue) store.access.row = order_[store.access.row];
  }
  for (Reduction& reduction : parsed_.reductions) reduction.value = order_[reduction.value];
  if (place_.gives.empty()) return Done{};
  if (parsed_.given == kNoValue) return scan_.fail(fmt::format("it is not said what {} is", place_.gives));
  parsed_.given = order_[parsed_.given];
  return Done{};
}

Result<ValueId> BodyParser::expression(bool named) {
  constexpr std::size_t kMaxDepth = 200;
  if (depth_ >= kMaxDepth) return scan_.fail(fmt::format("more than {} expressions stand in each other", kMaxDepth));
  ++depth_;
  const Scanner before = scan_;
  Result<Term> read = term();
  --depth_;
  if (!read) return std::move(read).error();
  if (read->id) {
    if (named) return scan_.fail("this value has a name already");
    return *read->id;
  }
  if (scan_.accept(':')) {
    TARN_TRY(read->dtype, read_dtype(scan_));
  }
  Scanner at_value = before;
  at_value.skip();
  if (!read->dtype) {
    return at_value.fail(fmt::format("the operands of {} do not fit it", name_of(read->value.op)));
  }
  read->value.dtype = *read->dtype;
  return add(std::move(read->value), named);
}

Result<ValueId> BodyParser::add(Value value, bool named) {
  std::vector<Value>& values = parsed_.body.values;
  const auto id = static_cast<ValueId>(values.size());
  if (value.kind != Value::Kind::operation && !named) {
    const auto [leaf, is_new] = leaves_.emplace(plan_words::leaf_key(value), id);
    if (!is_new) return leaf->second;
  }
  values.push_back(std::move(value));
  return id;
}

Result<BodyParser::Term> BodyParser::term() {
  Term result;
  if (scan_.accept('(')) return infix();
  if (scan_.peek_number()) {
    result.value.kind = Value::Kind::constant;
    TARN_TRY(result.value.number, scan_.number<double>("a number"));
    result.dtype = DType::f32;
    return result;
  }
  if (scan_.accept('-')) {
    TARN_TRY(const ValueId operand, expression());
    return operation(Op::neg, {operand});
  }
  const Scanner before = scan_;
  if (!scan_.peek('"')) {
    TARN_TRY(const std::string_view word, scan_.word("a value"));
    return word_term(before, word);
  }
  result.value.kind = Value::Kind::load;
  TARN_TRY(result.value.access, access());
  result.dtype = plan_.buffers[result.value.access.buffer].dtype;
  return result;
}

// A value that begins with a word, which has been read.
Result<BodyParser::Term> BodyParser::word_term(const Scanner& before, std::string_view word) {
  Term result;
  result.dtype = DType::f32;
  if (word == "N") {
    result.value.kind = Value::Kind::batch_size;
    return result;
  }
  if (word == "product") {
    if (!place_.has_product) return scan_.fail("there is no product here");
    result.value.kind = Value::Kind::product;
    result.dtype = place_.product;
    return result;
  }
  for (const Distribution distribution : {Distribution::uniform, Distribution::normal}) {
    if (word == name_of(distribution)) return draw(distribution);
  }
  if (word == "index") {
    result.value.kind = Value::Kind::index;
    TARN_RETURN_IF_ERROR(scan_.expect('('));
    TARN_TRY(result.value.linear, read_linear(scan_, place_.names));
    TARN_RETURN_IF_ERROR(scan_.expect(')'));
    return result;
  }
  if (const auto number = plan_words::numbered(word, 't')) {
    const auto known = named_.find(*number);
    if (known == named_.end()) return scan_.fail(fmt::format("there is no t{} before this", *number));
    result.id = known->second;
    return result;
  }
  if (const auto number = plan_words::numbered(word, 'r')) {
    if (*number >= place_.reductions.size()) return scan_.fail(fmt::format("there is no r{} here", *number));
    result.value.kind = Value::Kind::reduced;
    result.value.reduction = *number;
    result.dtype = place_.reductions[*number].dtype;
    return result;
  }
  const Scanner behind = scan_;
  if (scan_.accept('(')) {
    if (const auto dtype = dtype_named(word)) return call(Op::convert, dtype);
    const std::optional<Op> op = op_named(word);
    if (op && info(*op).op_class == OpClass::elementwise && *op != Op::convert) return call(*op, std::nullopt);
    return behind.fail(fmt::format("'{}' is no operation on elements", word));
  }
  scan_ = before;
  result.value.kind = Value::Kind::load;
  TARN_TRY(result.value.access, access());
  result.dtype = plan_.buffers[result.value.access.buffer].dtype;
  return result;
}

Result<BodyParser::Term> BodyParser::operation(Op op, std::vector<ValueId> operands) const {
  Term result;
  std::vector<DType> dtypes;
  for (const ValueId operand : operands) dtypes.push_back(parsed_.body.values[operand].dtype);
  result.value.op = op;
  result.value.operands = std::move(operands);
  result.dtype = plan_words::dtype_of_operation(op, dtypes);
  return result;
}

Result<BodyParser::Term> BodyParser::infix() {
  TARN_TRY(const ValueId left, expression());
  for (const auto& [op, sign] : plan_words::infix_operations()) {
    if (!scan_.accept_sign(sign)) continue;
    TARN_TRY(const ValueId right, expression());
    TARN_RETURN_IF_ERROR(scan_.expect(')'));
    return operation(op, {left, right});
  }
  return scan_.fail_expected("a sign between two values");
}

// Behind the parenthesis.
Result<BodyParser::Term> BodyParser::call(Op op, std::optional<DType> to) {
  const auto arity = static_cast<std::size_t>(info(op).arity);
  std::vector<ValueId> operands;
  while (operands.size() < arity) {
    if (!operands.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
    TARN_TRY(const ValueId operand, expression());
    operands.push_back(operand);
  }
  TARN_RETURN_IF_ERROR(scan_.expect(')'));
  TARN_TRY(Term result, operation(op, std::move(operands)));
  if (to) result.dtype = to;
  return result;
}

Result<BodyParser::Term> BodyParser::draw(Distribution distribution) {
  Term result;
  result.dtype = DType::f32;
  result.value.kind = Value::Kind::draw;
  result.value.distribution = distribution;
  TARN_RETURN_IF_ERROR(scan_.expect('('));
  TARN_RETURN_IF_ERROR(scan_.expect_keyword("sample"));
  TARN_TRY(result.value.sample, read_linear(scan_, place_.names));
  TARN_RETURN_IF_ERROR(scan_.expect(','));
  TARN_RETURN_IF_ERROR(scan_.expect_keyword("element"));
  TARN_TRY(result.value.linear, read_linear(scan_, place_.names));
  TARN_RETURN_IF_ERROR(scan_.expect(','));
  TARN_RETURN_IF_ERROR(scan_.expect_keyword("stream"));
  TARN_TRY(result.value.stream, scan_.number<std::uint64_t>("the number of a stream"));
  TARN_RETURN_IF_ERROR(scan_.expect(')'));
  return result;
}

Result<Operand> BodyParser::operand() {
  TARN_TRY(const Access result, access());
  Operand operand = operand_of(result, plan_.buffers[result.buffer].dtype);
  if (!operand.is_load())
    return scan_.fail(
        fmt::format("an element with a row or bounds is computed: write '{0}' here, and below what it is, '{0} = …'",
                    place_.gives));
  return operand;
}

Result<Access> BodyParser::access() {
  Access result;
  TARN_TRY(result.buffer, buffers_.read(scan_));
  const Buffer& buffer = plan_.buffers[result.buffer];
  result.at.strides.resize(place_.names.axes.size());
  if (!scan_.accept('[')) {
    if (buffer.shape.empty()) return result;
    return scan_.fail_expected(fmt::format("'[' and where in '{}'", buffer.name));
  }
  TARN_RETURN_IF_ERROR(scan_.accept_keyword("element") ? element(result)
                                                       : read_indices(scan_, place_.names, buffer, result));
  while (scan_.accept_keyword("inside")) {
    TARN_TRY(Bound bound, read_bound(scan_, place_.names));
    result.bounds.push_back(std::move(bound));
    if (!scan_.accept(',')) return scan_.fail_expected("', inside' or ', else'");
  }
  if (!result.bounds.empty()) {
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("else"));
    TARN_TRY(result.fill, scan_.number<double>("what a load outside of its bounds gives"));
  }
  TARN_RETURN_IF_ERROR(scan_.expect(']'));
  return result;
}

// The number of the element; then a row, bounds, or nothing.
Status BodyParser::element(Access& access) {
  TARN_TRY(access.at, read_linear(scan_, place_.names));
  while (scan_.accept(',')) {
    if (bounds_follow(scan_)) return Done{};
    if (access.row != kNoValue) return scan_.fail_expected("'inside' or ']'");
    TARN_RETURN_IF_ERROR(row(access));
  }
  return Done{};
}

Status BodyParser::row(Access& access) {
  TARN_RETURN_IF_ERROR(scan_.expect_keyword("row"));
  TARN_TRY(access.row, expression());
  TARN_RETURN_IF_ERROR(scan_.expect('*'));
  const bool backwards = scan_.accept('-');
  TARN_TRY(access.row_stride, read_size(scan_, "the stride of a row"));
  if (backwards) access.row_stride = -access.row_stride;
  TARN_RETURN_IF_ERROR(scan_.expect('<'));
  TARN_TRY(access.row_limit, read_size(scan_, "the number of rows"));
  if (access.row_limit > kMaxExtent) return scan_.fail(fmt::format("more than {} rows", kMaxExtent));
  return Done{};
}

}  // namespace tarn
