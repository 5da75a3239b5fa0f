// Helpers of the IR's tests: graphs from text, and random values.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "ir/builder.h"
#include "ir/evaluator.h"
#include "ir/text.h"

namespace tarn::testing {

// The first message of a failure, "" for success.
template <class T>
std::string message_of(const Result<T>& result) {
  return result.has_value() ? "" : result.error().front().message;
}

// Parses "graph t { body }".
inline Result<NamedGraph> parse_body(const std::string& body) {
  Sources sources;
  return parse_graph("graph t {\n" + body + "\n}\n", "test.ir", sources);
}

// Whether two places are the same, and so are the calls that led there.
inline bool same_place(const Locations& a, LocationId in_a, const Locations& b, LocationId in_b) {
  for (; in_a != 0 && in_b != 0; in_a = a[in_a].caller, in_b = b[in_b].caller) {
    if (a[in_a].span != b[in_b].span || a[in_a].context != b[in_b].context) return false;
  }
  return in_a == in_b;
}

// The value of the only result of a graph given as text.
inline HostTensor evaluate_body(const std::string& body, const EvaluationContext& context = {}) {
  const Result<NamedGraph> parsed = parse_body(body);
  EXPECT_EQ(message_of(parsed), "") << body;
  if (!parsed) return {};
  Result<std::vector<HostTensor>> values = evaluate(parsed->graph, context);
  EXPECT_EQ(message_of(values), "") << body;
  return values ? values->at(0) : HostTensor{};
}

}  // namespace tarn::testing
