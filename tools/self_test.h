// The self-test of a compiled model: a C program with inputs and the outputs that the reference evaluator gives for
// them, to be run on the machine that the model was compiled for.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "codegen/model_interface.h"
#include "ir/evaluator.h"

namespace tarn {

struct SelfTestOptions {
  std::string header;  // what the program includes
  std::uint64_t seed = 0;
  // Built-in weights, by name; the initial ones are computed where the interface has a state.
  std::map<std::string, HostTensor, std::less<>> weights;
};

// C99 text that needs no library but <stdio.h>: predicts a few samples; where the interface has them, evaluates, trains
// three steps and predicts again. Its exit status is 0 where all results agree with those of the reference evaluator.
Result<std::string> self_test(const Program& program, const ModelInterface& interface, const SelfTestOptions& options);

}  // namespace tarn
