// The reading half of the text form of kernel plans: text.h says what it looks like. Recursion over expressions is
// bounded, and what is made is no larger than a multiple of the text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "passes/plan/address_parser.h"
#include "passes/plan/body_parser.h"
#include "passes/plan/tactics_text.h"
#include "passes/plan/text.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

class Parser {
 public:
  Parser(std::string_view text, FileId file, Sources& sources) : scan_(text, file), location_reader_(sources) {}

  Result<NamedPlan> parse() {
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("plan"));
    TARN_TRY(std::string name, scan_.name());
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("max_batch"));
    TARN_TRY(plan_.max_batch, read_size(scan_, "a batch"));
    if (plan_.max_batch < 1 || plan_.max_batch > kMaxExtent) {
      return scan_.fail(fmt::format("a batch has 1 to {} samples", kMaxExtent));
    }
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("arena"));
    TARN_TRY(plan_.arena_bytes, read_size(scan_, "a number of bytes"));
    if (scan_.accept_keyword("constants")) TARN_RETURN_IF_ERROR(constants());
    while (scan_.accept_keyword("buffer")) TARN_RETURN_IF_ERROR(buffer());
    while (scan_.accept_keyword("result")) TARN_RETURN_IF_ERROR(result());
    TARN_RETURN_IF_ERROR(kernels(plan_.kernels));
    while (scan_.accept_keyword("remark")) {
      TARN_TRY(std::string remark, scan_.string("a remark in quotation marks"));
      plan_.remarks.push_back(std::move(remark));
    }
    if (!scan_.accept('}'))
      return scan_.fail_expected(plan_.kernels.empty() ? "a kernel or '}'" : "an equation, a kernel or '}'");
    if (scan_.accept_keyword("tactics")) TARN_RETURN_IF_ERROR(read_tactics(scan_, plan_));
    if (!scan_.at_end()) return scan_.fail("nothing is expected behind the plan but its tactics");
    return NamedPlan{std::move(name), std::move(plan_), std::move(locations_)};
  }

 private:
  Status constants() {
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    const auto digit = [](char c) -> int {
      if (c >= '0' && c <= '9') return c - '0';
      return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    while (!scan_.accept('}')) {
      TARN_TRY(const std::string_view word, scan_.word("bytes in hexadecimal digits"));
      for (std::size_t i = 0; i < word.size(); i += 2) {
        const int high = digit(word[i]), low = i + 1 < word.size() ? digit(word[i + 1]) : -1;
        if (high < 0 || low < 0) return scan_.fail("a byte has two hexadecimal digits");
        plan_.constants.push_back(static_cast<std::byte>(high * 16 + low));
      }
    }
    return Done{};
  }

  Status buffer() {
    Buffer buffer;
    TARN_TRY(buffer.name, names_.declare(scan_, static_cast<BufferId>(plan_.buffers.size())));
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    TARN_TRY(Type type, read_type(scan_));
    if (type.per_sample) return scan_.fail("a buffer holds the samples of a batch: [N, …]");
    buffer.dtype = type.dtype;
    buffer.shape = std::move(type.shape);
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("strides"));
    TARN_RETURN_IF_ERROR(strides(buffer));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("in"));
    TARN_TRY(const std::string_view name, scan_.word("a space"));
    const auto* const space = std::find_if(plan_words::kSpaces.begin(), plan_words::kSpaces.end(),
                                           [&](const auto& row) { return row.name == name; });
    if (space == plan_words::kSpaces.end()) return scan_.fail(fmt::format("'{}' is no space", name));
    buffer.space = space->space;
    if (scan_.peek_number()) {
      TARN_TRY(buffer.index, scan_.number<std::uint32_t>("the number of an array"));
    }
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("at"));
    TARN_TRY(buffer.offset, read_size(scan_, "an offset"));
    plan_.buffers.push_back(std::move(buffer));
    return Done{};
  }

  Status strides(Buffer& buffer) {
    TARN_RETURN_IF_ERROR(scan_.expect('['));
    while (!scan_.accept(']')) {
      if (!buffer.strides.empty()) TARN_RETURN_IF_ERROR(scan_.expect(','));
      TARN_TRY(const std::int64_t stride, read_stride(scan_));
      buffer.strides.push_back(stride);
    }
    if (buffer.strides.size() != buffer.shape.size()) {
      return scan_.fail(fmt::format("{} strides for {} axes", buffer.strides.size(), buffer.shape.size()));
    }
    double span = 0;
    for (std::size_t i = 0; i < buffer.shape.size(); ++i) {
      span += std::fabs(static_cast<double>(buffer.strides[i])) *
              static_cast<double>(buffer.shape[i] == kBatch ? plan_.max_batch : buffer.shape[i]);
    }
    constexpr double kMostElements = 1e14;
    if (span > kMostElements) return scan_.fail("the elements of this buffer lie too far apart");
    return Done{};
  }

  Status result() {
    PlanResult result;
    TARN_TRY(result.kind, read_result_kind(scan_));
    TARN_TRY(result.name, scan_.string("the name of a result"));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(result.buffer, names_.read(scan_));
    plan_.results.push_back(std::move(result));
    return Done{};
  }

  Status kernels(std::vector<Kernel>& kernels) {
    while (scan_.accept_keyword("kernel")) {
      TARN_TRY(Kernel next, kernel());
      kernels.push_back(std::move(next));
    }
    return Done{};
  }

  Result<Kernel> kernel() {
    TARN_TRY(const std::size_t number, scan_.number<std::size_t>("the number of the kernel"));
    if (number != kernels_) return scan_.fail(fmt::format("this is kernel {}", kernels_));
    ++kernels_;
    Kernel kernel;
    TARN_TRY(kernel.name, scan_.string("the name of the kernel"));
    TARN_TRY(const std::string_view kind, scan_.word("loop, product, guard or repeat"));
    const Scanner at_kind = scan_;
    TARN_TRY(kernel.location, location_reader_.read(scan_, *locations_));
    if (kind == "loop") {
      TARN_TRY(kernel.body, loop());
    } else if (kind == "product") {
      TARN_TRY(kernel.body, product());
    } else if (kind == "guard") {
      TARN_TRY(kernel.body, guard());
    } else if (kind == "repeat") {
      TARN_TRY(kernel.body, repeat());
    } else {
      return at_kind.fail(fmt::format("'{}' is no kind of kernel: loop, product, guard or repeat", kind));
    }
    return kernel;
  }

  // "12 times   carries h, c { kernel … }"
  Result<KernelBody> repeat() {
    if (repeats_ == kMostRepeats) return scan_.fail(fmt::format("more than {} repeats in one another", kMostRepeats));
    Repeat repeat;
    TARN_TRY(repeat.count, read_size(scan_, "how many times"));
    if (repeat.count < 1 || repeat.count > kMaxExtent) {
      return scan_.fail(fmt::format("a repeat has 1 to {} rounds", kMaxExtent));
    }
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("times"));
    if (scan_.accept_keyword("carries")) {
      do {
        TARN_TRY(const BufferId buffer, names_.read(scan_));
        repeat.carried.push_back(buffer);
      } while (scan_.accept(','));
    }
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    ++repeats_;
    TARN_RETURN_IF_ERROR(kernels(repeat.steps));
    --repeats_;
    if (!scan_.accept('}')) return scan_.fail_expected("an equation, a kernel or '}'");
    return KernelBody(std::move(repeat));
  }
  BodyPlace place_along(std::vector<std::string> axes) const {
    BodyPlace place;
    place.names.axes = std::move(axes);
    place.names.repeats = plan_words::repeat_indices(repeats_);
    return place;
  }

  Result<KernelBody> guard() {
    FiniteGuard guard;
    for (const char* word : {"the", "step", "ends", "here", "unless"}) TARN_RETURN_IF_ERROR(scan_.expect_keyword(word));
    TARN_TRY(guard.buffer, names_.read(scan_));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("is"));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("finite"));
    return KernelBody(guard);
  }

  struct Axis {
    std::string name;
    Extent extent;
  };
  // "i < N", if one stands here.
  Result<std::optional<Axis>> axis() {
    const Scanner before = scan_;
    Axis axis;
    axis.name = std::string(scan_.accept_word());
    if (axis.name.empty() || !scan_.peek('<')) {
      scan_ = before;
      return std::optional<Axis>();
    }
    TARN_RETURN_IF_ERROR(scan_.expect('<'));
    TARN_TRY(axis.extent, read_extent(scan_));
    return std::optional(std::move(axis));
  }
  static bool are_called(const std::vector<Axis>& axes, const std::vector<std::string>& names) {
    return std::equal(axes.begin(), axes.end(), names.begin(), names.end(),
                      [](const Axis& axis, const std::string& name) { return axis.name == name; });
  }
  Result<std::vector<Axis>> axes() {
    std::vector<Axis> all;
    while (true) {
      TARN_TRY(std::optional<Axis> next, axis());
      if (!next) return all;
      if (all.size() == kMaxKernelAxes) return scan_.fail(fmt::format("more than {} axes", kMaxKernelAxes));
      all.push_back(std::move(*next));
    }
  }

  Result<KernelBody> loop() {
    LoopKernel kernel;
    std::vector<Axis> kept, over;
    if (scan_.accept_keyword("for")) {
      TARN_TRY(kept, axes());
    }
    if (scan_.accept_keyword("over")) {
      TARN_TRY(over, axes());
    }
    TARN_RETURN_IF_ERROR(set_axes(kernel, kept, over));
    BodyPlace place = place_along(plan_words::loop_axes(kernel.axes.size()));
    TARN_RETURN_IF_ERROR(bodies(place, kernel.body, kernel.reductions, kernel.tail));
    return KernelBody(std::move(kernel));
  }

  // Axes stand in the order of their names.
  Status set_axes(LoopKernel& kernel, const std::vector<Axis>& kept, const std::vector<Axis>& over) const {
    const std::vector<std::string> names = plan_words::loop_axes(kept.size() + over.size());
    if (names.size() > kMaxKernelAxes) return scan_.fail(fmt::format("more than {} axes", kMaxKernelAxes));
    kernel.axes.resize(names.size());
    kernel.reduced.resize(names.size());
    std::vector<bool> given(names.size(), false);
    for (const std::vector<Axis>* part : {&kept, &over}) {
      for (const Axis& axis : *part) {
        const auto found = std::find(names.begin(), names.end(), axis.name);
        const auto i = static_cast<std::size_t>(found - names.begin());
        if (found == names.end() || given[i]) {
          return scan_.fail(fmt::format("'{}': the axes of a loop are called i, j, k, …, each once", axis.name));
        }
        given[i] = true;
        kernel.axes[i] = axis.extent;
        kernel.reduced[i] = part == &over;
      }
    }
    return Done{};
  }

  // A body with its reductions, and its tail.
  Status bodies(BodyPlace place, Body& body, std::vector<Reduction>& reductions, Body& tail) {
    place.has_reductions = true;
    TARN_TRY(BodyParser::Parsed parsed, BodyParser(scan_, plan_, names_, place).parse());
    body = std::move(parsed.body);
    reductions = std::move(parsed.reductions);
    if (!scan_.accept_keyword("then")) return Done{};
    place.has_product = place.has_reductions = false;
    place.reductions = reductions;
    TARN_TRY(parsed, BodyParser(scan_, plan_, names_, place).parse());
    tail = std::move(parsed.body);
    return Done{};
  }

  Result<KernelBody> product() {
    ContractionKernel kernel;
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("for"));
    const Scanner at_axes = scan_;
    TARN_TRY(const std::vector<Axis> axes, this->axes());
    for (const Axis& axis : axes) {
      const char letter = axis.name.front();
      (letter == 'm' ? kernel.rows : letter == 'n' ? kernel.columns : kernel.batch).push_back(axis.extent);
    }
    BodyPlace place = place_along(plan_words::product_axes(kernel));
    if (!are_called(axes, place.names.axes)) {
      return at_axes.fail(
          "the axes of a product are called b0, b1, …, m and n, or m0, m1, …, m where there are several");
    }
    TARN_RETURN_IF_ERROR(sum(kernel));
    place.has_product = true;
    place.product = kernel.dtype;
    place.over = plan_words::role_axes({"m", kernel.rows.size()});
    place.over.insert(place.over.begin(), "over");
    TARN_RETURN_IF_ERROR(bodies(place, kernel.epilogue, kernel.sums, kernel.tail));
    return KernelBody(std::move(kernel));
  }

  // "product = sum over k < 4 of x[m, k] * w[k, n]"
  Status sum(ContractionKernel& kernel) {
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("product"));
    std::optional<DType> dtype;
    if (scan_.accept(':')) {
      TARN_TRY(dtype, read_dtype(scan_));
    }
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("sum"));
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("over"));
    TARN_TRY(const std::vector<Axis> inner, axes());
    for (const Axis& axis : inner) kernel.inner.push_back(axis.extent);
    const plan_words::Role m{"m", kernel.rows.size()}, n{"n", kernel.columns.size()}, k{"k", inner.size()};
    if (!are_called(inner, plan_words::role_axes(k))) {
      return scan_.fail("the sum of a product goes over k, or k0, k1, …, k where there are several");
    }
    TARN_RETURN_IF_ERROR(scan_.expect_keyword("of"));
    const std::size_t batch = kernel.batch.size();
    BodyPlace left = place_along(plan_words::product_axes(batch, m, k));
    BodyPlace right = place_along(plan_words::product_axes(batch, k, n));
    left.gives = plan_words::kLeft;
    right.gives = plan_words::kRight;
    TARN_RETURN_IF_ERROR(operand(left, kernel.a));
    TARN_RETURN_IF_ERROR(scan_.expect('*'));
    TARN_RETURN_IF_ERROR(operand(right, kernel.b));
    TARN_RETURN_IF_ERROR(computed_operand(left, kernel.a));
    TARN_RETURN_IF_ERROR(computed_operand(right, kernel.b));
    kernel.dtype = dtype.value_or(kernel.a.body.values[kernel.a.value].dtype);
    return Done{};
  }
  // An element; or the name of what is computed, which leaves the operand as it is.
  Status operand(const BodyPlace& place, Operand& operand) {
    if (scan_.accept_keyword(place.gives)) return Done{};
    TARN_TRY(operand, BodyParser(scan_, plan_, names_, place).operand());
    return Done{};
  }
  // "left   t0 = …   left = exp(t0)", of an operand that is no element.
  Status computed_operand(const BodyPlace& place, Operand& operand) {
    if (!operand.body.values.empty()) return Done{};
    TARN_RETURN_IF_ERROR(scan_.expect_keyword(place.gives));
    TARN_TRY(BodyParser::Parsed parsed, BodyParser(scan_, plan_, names_, place).parse());
    operand = {std::move(parsed.body), parsed.given};
    return Done{};
  }

  Scanner scan_;
  LocationReader location_reader_;
  KernelPlan plan_;
  BufferNames names_;
  std::size_t kernels_ = 0, repeats_ = 0;  // read so far; around what is being read
  std::shared_ptr<Locations> locations_ = std::make_shared<Locations>();
};

}  // namespace

Result<NamedPlan> parse_plan(std::string_view text, const std::string& text_name, Sources& sources) {
  return Parser(text, sources.add(text_name, std::string(text)), sources).parse();
}

}  // namespace tarn
