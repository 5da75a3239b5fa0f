// The self-test of a compiled model: made-up samples and what the reference evaluator gives for them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "codegen/model/self_test_programs.h"
#include "ir/evaluator.h"

namespace tarn {

struct SelfTestOptions {
  std::uint64_t seed = 0;
  // Built-in weights, by name; the initial ones are computed where the interface has a state.
  std::map<std::string, HostTensor, std::less<>> weights;
};

// Predicts a few samples; where the interface has them, evaluates, trains three steps and predicts again.
Result<SelfTest> make_self_test(const Program& program, const ModelInterface& interface,
                                const SelfTestOptions& options);

}  // namespace tarn
