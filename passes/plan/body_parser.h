// Reads the parts of a plan's text that kernels are made of: names of buffers, functions of axes, accesses, and bodies.
// text.h says what they look like.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/text_parts.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

// No kernel has more axes than this; it bounds what a line of text may ask for.
inline constexpr std::size_t kMaxKernelAxes = 64;
// Extents and batches are at most this; strides and offsets are smaller than its square.
inline constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;

// The buffers of a plan by what the text calls them.
class BufferNames {
 public:
  // `x: `, or `x$3: ` where it is number 3. Fails where there is one of that name.
  Result<std::string> declare(Scanner& scan, BufferId id);
  Result<BufferId> read(Scanner& scan) const;

 private:
  std::vector<std::string> names_;         // by number
  std::map<std::string, BufferId> alone_;  // those that are declared without a number
};

// What a body stands in.
struct BodyPlace {
  std::vector<std::string> axes;
  std::vector<std::string> repeats;  // indices of the repeats around it
  bool has_product = false;
  DType product = DType::f32;
  // Reductions are made: `over` is what stands behind their operation, "over m".
  bool has_reductions = false;
  std::vector<std::string> over;
  std::vector<Reduction> reductions;  // those that a tail takes up
  std::string_view gives;             // the name of the value that the body is there for, instead of stores
};

Result<Extent> read_extent(Scanner& scan);
// A number from 0 to kMaxExtent², for offsets and the like.
Result<std::int64_t> read_size(Scanner& scan, std::string_view what);
// One from -kMaxExtent to kMaxExtent.
Result<std::int64_t> read_stride(Scanner& scan);

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
  Status by_axes(Access& access, const Buffer& buffer);
  Status row(Access& access);
  Status bound(Access& access);
  bool bounds_follow() const {
    Scanner ahead = scan_;
    return ahead.accept_keyword("inside");
  }
  Result<Linear> linear();
  Status linear_term(Linear& linear, bool negative);
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
