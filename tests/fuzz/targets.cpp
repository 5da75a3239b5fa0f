// See targets.h.
#include "tests/fuzz/targets.h"

#include "frontend/frontend.h"
#include "frontend/syntax/format_source.h"
#include "ir/program_text.h"
#include "ir/text.h"
#include "ir/verify_program.h"
#include "passes/pipeline.h"
#include "passes/plan/text.h"
#include "runtime/files/csv.h"
#include "runtime/files/gzip.h"
#include "runtime/files/idx.h"
#include "runtime/files/image.h"
#include "runtime/files/npy.h"
#include "runtime/files/npz.h"
#include "runtime/files/safetensors.h"

namespace tarn::fuzz {
namespace {

void expect_sound(const Array& array) {
  TARN_CHECK(byte_count(array.type, array.shape) == static_cast<std::int64_t>(array.data.size()),
             "an array of another size than its shape");
}

void expect_reads_back(const KernelPlan& plan) {
  Sources sources;
  const std::string text = print_whole(plan, "plan");
  const auto again = parse_plan(text, "again.txt", sources);
  TARN_CHECK(again.has_value() && print_whole(again->plan, "plan") == text, "a plan that reads back otherwise");
}

// A model file from its text to kernel plans; its limits are lower than a user's, so that an input takes milliseconds.
void model(ByteView bytes) {
  FrontendOptions options;
  options.limits.steps = 100'000;
  options.limits.list_length = 10'000;
  options.limits.nodes = 5'000;
  Sources sources;
  FrontendResult result = compile_text("fuzz.tarn", std::string(text_of(bytes)), options, sources);
  static_cast<void>(tarn::format(result.diagnostics, sources));
  TARN_CHECK(result.program.has_value() != has_errors(result.diagnostics), "no program and no error");
  if (!result.program) return;
  assign_offsets(*result.program);
  TARN_CHECK(verify(*result.program).has_value(), "a malformed program");
  PassContext context;
  context.sources = &sources;
  context.options.verify_each = true;
  const auto plans = plan_program(*result.program, PlanOptions(), context);
  if (!plans) {
    TARN_CHECK(!plans.error().front().message.starts_with("bug in tarn"), plans.error().front().message);
    return;
  }
  for (const auto& [name, plan] : plans->plans) expect_reads_back(plan);
}

// Formatting gives a text whose formatting is itself.
void format(ByteView bytes) {
  Sources sources;
  const auto once = format_source(sources.add("fuzz.tarn", std::string(text_of(bytes))), sources);
  if (!once) return;
  const auto twice = format_source(sources.add("formatted.tarn", *once), sources);
  TARN_CHECK(twice.has_value() && *twice == *once, "formatting is not idempotent");
}

void graph(ByteView bytes) {
  Sources sources;
  const auto parsed = parse_graph(std::string(text_of(bytes)), "fuzz.txt", sources);
  if (!parsed) return;
  const std::string text = print(parsed->graph, parsed->name, sources);
  const auto again = parse_graph(text, "again.txt", sources);
  TARN_CHECK(again.has_value() && print(again->graph, again->name, sources) == text, "text that reads back otherwise");
}

void program(ByteView bytes) {
  Sources sources;
  const auto parsed = parse_program(std::string(text_of(bytes)), "fuzz.txt", sources);
  if (!parsed) return;
  const std::string text = print(*parsed, sources);
  const auto again = parse_program(text, "again.txt", sources);
  TARN_CHECK(again.has_value() && print(*again, sources) == text, "a program that reads back otherwise");
}

void plan(ByteView bytes) {
  Sources sources;
  const auto parsed = parse_plan(std::string(text_of(bytes)), "fuzz.txt", sources);
  if (!parsed) return;
  expect_reads_back(parsed->plan);
  static_cast<void>(verify(parsed->plan));
  static_cast<void>(print(parsed->plan));
  static_cast<void>(print_memory(parsed->plan));
}

void npy(ByteView bytes) {
  if (const auto array = parse_npy(bytes)) expect_sound(*array);
}
void idx(ByteView bytes) {
  if (const auto array = parse_idx(bytes)) expect_sound(*array);
}
void image(ByteView bytes) {
  for (const std::int64_t channels : {1, 3}) {
    if (const auto image = parse_image(bytes, channels)) expect_sound(*image);
  }
}
void npz(ByteView bytes) {
  if (const auto file = parse_npz(bytes)) {
    for (const NamedArray& named : file->arrays) expect_sound(named.array);
  }
}
void safetensors(ByteView bytes) {
  if (const auto file = parse_safetensors(bytes)) {
    for (const NamedArray& named : file->tensors) expect_sound(named.array);
  }
}
void gzip(ByteView bytes) {
  constexpr std::size_t kLimit = 1 << 20;
  const auto inflated = inflate_gzip(bytes, "fuzz.gz", kLimit);
  TARN_CHECK(!inflated || inflated->size() <= kLimit, "more bytes than the limit");
}
void csv(ByteView bytes) {
  const auto table = parse_csv(copy_of(bytes));
  if (!table) return;
  std::size_t characters = 0;
  std::vector<std::size_t> columns;
  for (std::size_t column = 0; column < table->columns(); ++column) columns.push_back(column);
  for (std::size_t row = 0; row < table->rows(); ++row) {
    for (const std::size_t column : columns) characters += table->cell(row, column).size();
  }
  TARN_CHECK(characters <= bytes.size(), "cells with more than the file holds");
  if (const auto values = numbers(*table, columns)) expect_sound(values->values);
}

}  // namespace

std::span<const Target> targets() {
  static const std::vector<Target> table = {
      {"model", model, {{"examples", ".tarn"}, {"tests/golden/errors", ".tarn"}}},
      {"format", format, {{"examples", ".tarn"}, {"frontend/prelude", ".tarn"}, {"tests/golden/syntax", ".tarn"}}},
      {"graph", graph, {}},
      {"program", program, {}},
      {"plan", plan, {}},
      {"npy", npy, {{"tests/data/npy/written", ".npy"}}},
      {"npz", npz, {{"tests/data/npy/written", ".npz"}}},
      {"safetensors", safetensors, {{"tests/data/safetensors", ".safetensors"}}},
      {"csv", csv, {{"tests/data/csv-spectrum", ".csv"}}},
      {"idx", idx, {}},
      {"gzip", gzip, {}},
      {"image", image, {{"tests/data/images", ".png"}, {"tests/data/images", ".jpg"}}},
  };
  return table;
}

}  // namespace tarn::fuzz
