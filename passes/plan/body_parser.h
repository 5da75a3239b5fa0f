// Reads the bodies in a plan's text: equations, and the accesses in them. text.h says what they look like.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/text_parts.h"
#include "passes/plan/address_parser.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// What a body stands in.
struct BodyPlace {
  IndexNames names;
  bool has_product = false;
  DType product = DType::f32;
  // Reductions are made: `over` is what stands behind their operation, "over m".
  bool has_reductions = false;
  std::vector<std::string> over;
  std::vector<Reduction> reductions;  // those that a tail takes up
  std::string_view gives;             // the name of the value that the body is there for, instead of stores
};

class BodyParser {
 public:
  BodyParser(Scanner& scan, const KernelPlan& plan, const BufferNames& buffers, BodyPlace place)
      : scan_(scan), plan_(plan), buffers_(buffers), place_(std::move(place)) {}

  struct Parsed {
    Body body;
    std::vector<Reduction> reductions;
    ValueId given = kNoValue;
  };
  // Equations, up to what is none.
  Result<Parsed> parse();
  // An element as it stands in memory.
  Result<Operand> operand();

 private:
  // A value that may be one of the body already, or become one.
  struct Term {
    std::optional<ValueId> id;
    Value value;
    std::optional<DType> dtype;  // where it follows from the text
  };
  Status definition(std::uint32_t number);
  Status reduction(std::uint32_t number);
  Status store();
  Status given();
  Status order();
  Status finish();
  Result<ValueId> expression(bool named = false);
  Result<Term> term();
  Result<Term> infix();
  Result<Term> call(Op op, std::optional<DType> to);
  Result<Term> operation(Op op, std::vector<ValueId> operands) const;
  Result<Term> word_term(const Scanner& before, std::string_view word);
  Result<Term> draw(Distribution distribution);
  Result<Access> access();
  Status element(Access& access);
  Status row(Access& access);
  Result<ValueId> add(Value value, bool named);

  Scanner& scan_;
  const KernelPlan& plan_;
  const BufferNames& buffers_;
  BodyPlace place_;
  Parsed parsed_;
  std::map<std::string, ValueId> leaves_;   // by key: those that stand where they are used
  std::map<std::uint32_t, ValueId> named_;  // by N of tN
  std::vector<ValueId> order_;              // numbers of values in the order of reading; empty: their own
  std::size_t depth_ = 0;
};

}  // namespace tarn
