// See tactics_text.h. Structures are taken apart by structured bindings, so that a field added to one of them is a
// compile error here until it is printed as well.
#include "passes/plan/tactics_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "ir/joined.h"
#include "passes/plan/body_parser.h"
#include "passes/plan/words.h"

namespace tarn {
namespace {

using Names = std::vector<std::string>;

// Axes that threads may share, by their numbers.
Names axes_of(const LoopKernel& kernel) { return plan_words::loop_axes(kernel.axes.size()); }
Names axes_of(const ContractionKernel& kernel) { return plan_words::product_axes(kernel); }
Names axes_of(const FiniteGuard&) { return {}; }
Names axes_of(const Repeat&) { return {}; }

using Packing = ContractionTiling::Packing;

std::string tiles_text(const ContractionTiling& tiling) {
  return fmt::format("tiles of {} x {} in vectors of {}, panels of {}, blocks of {} rows and {}{} k", tiling.tile_rows,
                     tiling.tile_columns, tiling.lanes, tiling.panel, tiling.row_block,
                     tiling.several_blocks ? "" : "all ", tiling.inner_block);
}

// Each of them is read by the Reader, in the same order.
Names around_tiles(const ContractionTiling& tiling) {
  const auto& [lanes, tile_rows, tile_columns, panel, panels_outside, row_block, tile_inner, first_inner, shared_inner,
               inner_block, several_blocks, inner_steps, packing, streams, tile_epilogue, moves_rows, rest_rows,
               left_rows, computes_along_rows, skips_outside, fetches_epilogue, fetches_panels, fetches_rows,
               fetches_groups, epilogue_lanes, left_lanes, right_lanes] = tiling;
  Names words;
  const auto add = [&](bool is_so, std::string what) {
    if (is_so) words.push_back(std::move(what));
  };
  add(tile_inner > 1, fmt::format("over {} inner axes", tile_inner));
  add(first_inner > 0, fmt::format("by {} of the first", first_inner));
  add(shared_inner > 0, fmt::format("shares {} of the first", shared_inner));
  add(packing != Packing::never, packing == Packing::always ? "b packed" : "b packed for many rows");
  add(right_lanes > 1, fmt::format("b in vectors of {}", right_lanes));
  add(left_rows > 0, fmt::format("a by {} rows{}", left_rows, computes_along_rows ? " along rows" : ""));
  add(left_lanes > 1, fmt::format("a in vectors of {}", left_lanes));
  add(skips_outside, "nothing outside");
  add(inner_steps > 1, fmt::format("jumps every {} k", inner_steps));
  add(moves_rows, "rows moved back");
  add(panels_outside, "panels outside");
  add(rest_rows > 1, fmt::format("left by {} rows", rest_rows));
  add(streams, "few rows streamed");
  add(fetches_panels, "fetches panels");
  add(fetches_rows, "fetches rows");
  add(fetches_groups, "fetches groups");
  add(fetches_epilogue, "fetches for epilogues");
  add(true, fmt::format("epilogue{} in vectors of {}", tile_epilogue ? " behind each" : "", epilogue_lanes));
  return words;
}

class TacticsPrinter {
 public:
  TacticsPrinter(const Kernel& kernel, const TacticsReasons* reasons)
      : kernel_(kernel), reasons_(reasons == nullptr ? TacticsReasons{} : *reasons), explains_(reasons != nullptr) {}

  std::string print() {
    const auto& [split, vector_axis, lanes, accumulators, copy, form, often_few_rows, weights_in_groups, rows_in_place,
                 b_for_writing, tiling] = kernel_.tactics;
    const Names axes = std::visit([](const auto& body) { return axes_of(body); }, kernel_.body);
    by_kind(
        kernel_.body,
        [&](const LoopKernel& loop) {
          if (!loop.axes.empty()) line(fmt::format("vectors along {}", axes[vector_axis]), reasons_.vectors);
        },
        [&](const ContractionKernel&) {
          line(fmt::format("vectors along {}", form == CpuTactics::Form::columns ? "n" : "k"), reasons_.vectors);
        },
        [](const FiniteGuard&) {}, [](const Repeat&) {});
    if (copy == CpuTactics::Copy::of_samples) line("copies samples", reasons_.copy);
    if (copy == CpuTactics::Copy::by_squares) line("copies by squares", reasons_.copy);
    if (often_few_rows) line("expects few rows", reasons_.rows);
    if (weights_in_groups) line("reads weights in groups", "");
    if (rows_in_place) line("reads a in place", reasons_.rows);
    if (b_for_writing) line("prefetches b for writing", reasons_.b);
    if (lanes > 0) {
      const std::string sums = accumulators > 1 ? fmt::format(", accumulators {}", accumulators) : "";
      line(fmt::format("lanes {}{}", lanes, sums), reasons_.lanes);
    }
    if (tiling) {
      line(tiles_text(*tiling), reasons_.tiles);
      line(fmt::format("around tiles: {}", joined(around_tiles(*tiling), ", ")), reasons_.around);
    }
    if (split) {
      const std::string from = split->from_batch != 1 ? fmt::format(" from N = {} on", split->from_batch) : "";
      line(fmt::format("threads share {}{}", axes[split->axis], from), reasons_.threads);
    } else if (explains_) {
      line("one thread", reasons_.threads);
    }
    return std::move(out_);
  }

 private:
  void line(const std::string& choice, const std::string& reason) {
    const std::string comment = explains_ && !reason.empty() ? "   # " + reason : "";
    out_ += fmt::format("  {}{}\n", choice, comment);
  }

  const Kernel& kernel_;
  const TacticsReasons reasons_;
  const bool explains_;
  std::string out_;
};

class Reader {
 public:
  Reader(Scanner& scan, KernelPlan& plan) : scan_(scan), plan_(plan) {}

  Status read() {
    TARN_RETURN_IF_ERROR(scan_.name());
    TARN_RETURN_IF_ERROR(scan_.expect('{'));
    while (scan_.accept_keyword("kernel")) TARN_RETURN_IF_ERROR(kernel());
    if (!scan_.accept('}')) return scan_.fail_expected("a choice, a kernel or '}'");
    return Done{};
  }

 private:
  Status words(std::initializer_list<const char*> expected) {
    for (const char* word : expected) TARN_RETURN_IF_ERROR(scan_.expect_keyword(word));
    return Done{};
  }

  Status kernel() {
    TARN_TRY(const std::size_t number, scan_.number<std::size_t>("the number of a kernel"));
    Kernel* const numbered = kernel_numbered(number);
    if (numbered == nullptr) return scan_.fail("the plan has no such kernel");
    Kernel& kernel = *numbered;
    TARN_TRY(const std::string name, scan_.string("the name of the kernel"));
    if (name != kernel.name) return scan_.fail(fmt::format("kernel {} of the plan is '{}'", number, kernel.name));
    CpuTactics tactics;
    while (true) {
      TARN_TRY(const bool read, choice(kernel, tactics));
      if (read) continue;
      TARN_TRY(const bool shared, threads(kernel, tactics));
      if (!shared) break;
    }
    kernel.tactics = tactics;
    return Done{};
  }

  // A choice that its kind of kernel has, if one stands here.
  Result<bool> choice(const Kernel& kernel, CpuTactics& tactics) {
    return by_kind(
        kernel.body, [&](const LoopKernel&) { return loop(kernel, tactics); },
        [&](const ContractionKernel&) { return product(tactics); },
        [](const FiniteGuard&) { return Result<bool>(false); }, [](const Repeat&) { return Result<bool>(false); });
  }

  Kernel* kernel_numbered(std::size_t number) {
    Kernel* found = nullptr;
    std::size_t next = 0;
    for_each_kernel(plan_.kernels, [&](Kernel& kernel) {
      if (next++ == number) found = &kernel;
    });
    return found;
  }

  Result<std::size_t> axis(const Kernel& kernel) {
    const Names names = std::visit([](const auto& body) { return axes_of(body); }, kernel.body);
    TARN_TRY(const std::string_view name, scan_.word("an axis"));
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return scan_.fail(fmt::format("the kernel has no axis '{}'", name));
    return static_cast<std::size_t>(found - names.begin());
  }

  Result<bool> threads(const Kernel& kernel, CpuTactics& tactics) {
    if (scan_.accept_keyword("one")) {
      TARN_RETURN_IF_ERROR(words({"thread"}));
      tactics.split.reset();
      return true;
    }
    if (!scan_.accept_keyword("threads")) return false;
    TARN_RETURN_IF_ERROR(words({"share"}));
    TARN_TRY(const std::size_t shared, axis(kernel));
    tactics.split = Split{static_cast<std::uint32_t>(shared), 1};
    if (!scan_.accept_keyword("from")) return true;
    TARN_RETURN_IF_ERROR(words({"N"}));
    TARN_RETURN_IF_ERROR(scan_.expect('='));
    TARN_TRY(tactics.split->from_batch, read_size(scan_, "a number of samples"));
    TARN_RETURN_IF_ERROR(words({"on"}));
    return true;
  }

  template <class Number>
  Status count(Number& to, std::string_view what) {
    TARN_TRY(const std::int64_t number, read_size(scan_, what));
    if (number > std::numeric_limits<Number>::max()) return scan_.fail(fmt::format("{} are too many", what));
    to = static_cast<Number>(number);
    return Done{};
  }

  // A choice that only loops have, if one stands here.
  Result<bool> loop(const Kernel& kernel, CpuTactics& tactics) {
    if (scan_.accept_keyword("vectors")) {
      TARN_RETURN_IF_ERROR(words({"along"}));
      TARN_TRY(const std::size_t along, axis(kernel));
      tactics.vector_axis = static_cast<std::uint32_t>(along);
      return true;
    }
    if (scan_.accept_keyword("lanes")) {
      TARN_RETURN_IF_ERROR(count(tactics.lanes, "lanes"));
      if (!scan_.accept(',')) return true;
      TARN_RETURN_IF_ERROR(words({"accumulators"}));
      TARN_RETURN_IF_ERROR(count(tactics.accumulators, "accumulators"));
      return true;
    }
    if (!scan_.accept_keyword("copies")) return false;
    if (scan_.accept_keyword("samples")) {
      tactics.copy = CpuTactics::Copy::of_samples;
      return true;
    }
    TARN_RETURN_IF_ERROR(words({"by", "squares"}));
    tactics.copy = CpuTactics::Copy::by_squares;
    return true;
  }

  // The same of products.
  Result<bool> product(CpuTactics& tactics) {
    if (scan_.accept_keyword("vectors")) {
      TARN_RETURN_IF_ERROR(words({"along"}));
      TARN_TRY(const std::string_view name, scan_.word("n or k"));
      if (name != "n" && name != "k") return scan_.fail("vectors of a product go along n or k");
      tactics.form = name == "n" ? CpuTactics::Form::columns : CpuTactics::Form::inner;
    } else if (scan_.accept_keyword("expects")) {
      TARN_RETURN_IF_ERROR(words({"few", "rows"}));
      tactics.often_few_rows = true;
    } else if (scan_.accept_keyword("prefetches")) {
      TARN_RETURN_IF_ERROR(words({"b", "for", "writing"}));
      tactics.b_for_writing = true;
    } else if (scan_.accept_keyword("reads")) {
      const bool weights = scan_.accept_keyword("weights");
      TARN_RETURN_IF_ERROR(weights ? words({"in", "groups"}) : words({"a", "in", "place"}));
      (weights ? tactics.weights_in_groups : tactics.rows_in_place) = true;
    } else if (scan_.accept_keyword("tiles")) {
      tactics.tiling.emplace();
      TARN_RETURN_IF_ERROR(tiles(*tactics.tiling));
    } else {
      return false;
    }
    return true;
  }

  // What tiles_text() and around_tiles() print.
  Status tiles(ContractionTiling& t) {
    TARN_RETURN_IF_ERROR(words({"of"}));
    TARN_RETURN_IF_ERROR(count(t.tile_rows, "rows"));
    TARN_RETURN_IF_ERROR(words({"x"}));
    TARN_RETURN_IF_ERROR(count(t.tile_columns, "columns"));
    TARN_RETURN_IF_ERROR(vectors(t.lanes));
    TARN_RETURN_IF_ERROR(scan_.expect(','));
    TARN_RETURN_IF_ERROR(words({"panels", "of"}));
    TARN_RETURN_IF_ERROR(count(t.panel, "columns"));
    TARN_RETURN_IF_ERROR(scan_.expect(','));
    TARN_RETURN_IF_ERROR(words({"blocks", "of"}));
    TARN_RETURN_IF_ERROR(count(t.row_block, "rows"));
    TARN_RETURN_IF_ERROR(words({"rows", "and"}));
    t.several_blocks = !scan_.accept_keyword("all");
    TARN_RETURN_IF_ERROR(count(t.inner_block, "numbers of k"));
    TARN_RETURN_IF_ERROR(words({"k", "around", "tiles"}));
    TARN_RETURN_IF_ERROR(scan_.expect(':'));
    do TARN_RETURN_IF_ERROR(around(t));
    while (scan_.accept(','));
    return Done{};
  }

  // "in vectors of 8"
  Status vectors(unsigned& lanes) {
    TARN_RETURN_IF_ERROR(words({"in", "vectors", "of"}));
    return count(lanes, "lanes");
  }

  Status around(ContractionTiling& t) {
    if (scan_.accept_keyword("over")) {
      TARN_RETURN_IF_ERROR(count(t.tile_inner, "inner axes"));
      return words({"inner", "axes"});
    }
    if (scan_.accept_keyword("by")) {
      TARN_RETURN_IF_ERROR(count(t.first_inner, "indices"));
      return words({"of", "the", "first"});
    }
    if (scan_.accept_keyword("left")) {
      TARN_RETURN_IF_ERROR(words({"by"}));
      TARN_RETURN_IF_ERROR(count(t.rest_rows, "rows"));
      return words({"rows"});
    }
    if (scan_.accept_keyword("panels")) {
      t.panels_outside = true;
      return words({"outside"});
    }
    if (scan_.accept_keyword("shares")) {
      TARN_RETURN_IF_ERROR(count(t.shared_inner, "indices"));
      return words({"of", "the", "first"});
    }
    if (scan_.accept_keyword("b")) {
      if (!scan_.accept_keyword("packed")) return vectors(t.right_lanes);
      t.packing = Packing::always;
      if (!scan_.accept_keyword("for")) return Done{};
      t.packing = Packing::many_rows;
      return words({"many", "rows"});
    }
    if (scan_.accept_keyword("a")) {
      if (!scan_.accept_keyword("by")) return vectors(t.left_lanes);
      TARN_RETURN_IF_ERROR(count(t.left_rows, "rows"));
      TARN_RETURN_IF_ERROR(words({"rows"}));
      if (!scan_.accept_keyword("along")) return Done{};
      t.computes_along_rows = true;
      return words({"rows"});
    }
    if (scan_.accept_keyword("jumps")) {
      TARN_RETURN_IF_ERROR(words({"every"}));
      TARN_RETURN_IF_ERROR(count(t.inner_steps, "numbers of k"));
      return words({"k"});
    }
    if (scan_.accept_keyword("rows")) {
      t.moves_rows = true;
      return words({"moved", "back"});
    }
    if (scan_.accept_keyword("nothing")) {
      t.skips_outside = true;
      return words({"outside"});
    }
    if (scan_.accept_keyword("few")) {
      t.streams = true;
      return words({"rows", "streamed"});
    }
    if (scan_.accept_keyword("fetches")) return fetches(t);
    if (!scan_.accept_keyword("epilogue")) return scan_.fail_expected("what there is around tiles");
    t.tile_epilogue = scan_.accept_keyword("behind");
    if (t.tile_epilogue) TARN_RETURN_IF_ERROR(words({"each"}));
    return vectors(t.epilogue_lanes);
  }

  Status fetches(ContractionTiling& t) {
    bool* of = nullptr;
    if (scan_.accept_keyword("panels")) of = &t.fetches_panels;
    if (scan_.accept_keyword("rows")) of = &t.fetches_rows;
    if (scan_.accept_keyword("groups")) of = &t.fetches_groups;
    if (of == nullptr) {
      TARN_RETURN_IF_ERROR(words({"for", "epilogues"}));
      of = &t.fetches_epilogue;
    }
    *of = true;
    return Done{};
  }

  Scanner& scan_;
  KernelPlan& plan_;
};

}  // namespace

std::string print_tactics(const KernelPlan& plan, const std::string& name, std::span<const TacticsReasons> reasons,
                          const Locations* locations, const Sources& sources) {
  const std::vector<KernelRuns> numbered = numbered_kernels(plan);
  const auto is_default = [](const KernelRuns& runs) { return runs.kernel->tactics == CpuTactics{}; };
  if (reasons.empty() && std::all_of(numbered.begin(), numbered.end(), is_default)) return "";
  std::string kernels;
  for (std::size_t i = 0; i < numbered.size(); ++i) {
    const Kernel& kernel = *numbered[i].kernel;
    const bool has_tactics = by_kind(
        kernel.body, [](const LoopKernel&) { return true; }, [](const ContractionKernel&) { return true; },
        [](const FiniteGuard&) { return false; }, [](const Repeat&) { return false; });
    if (!has_tactics) continue;
    const std::string origin = locations == nullptr ? "" : origin_of(kernel.location, *locations, sources);
    kernels += fmt::format("kernel {} {}{}{}\n", i, quoted(kernel.name), origin.empty() ? "" : "   # ", origin);
    kernels += TacticsPrinter(kernel, reasons.empty() ? nullptr : &reasons[i]).print();
  }
  return fmt::format("tactics {} {{\n{}}}\n", name_text(name), kernels);
}

Status read_tactics(Scanner& scan, KernelPlan& plan) { return Reader(scan, plan).read(); }

}  // namespace tarn
