// The functions of a program as those who call them see them: a plain interface of C, shared with generated code, which
// reads and writes the fields of its structs by their offsets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/program.h"

namespace tarn {

// The header of a state: its first kStateHeaderBytes bytes. Generated code reads the seed from it.
struct StateHeader {
  std::uint64_t layout = 0;  // layout_hash(program)
  std::uint64_t seed = 0;
  std::uint64_t reserved[6] = {};
};
static_assert(sizeof(StateHeader) == kStateHeaderBytes);

// What the caller and a running function tell each other.
struct Control {
  std::int32_t stop = 0;  // set from outside (atomically): the call returns Outcome::stopped before the next batch
  // Parts that a kernel is shared in where parallel_for is given; the workspace must have been made for as many.
  std::int32_t threads = 0;
  std::uint64_t batches_done = 0;  // written (atomically, relaxed) after every batch
  std::uint64_t first_sample = 0;  // evaluate, predict: sample number of the first row, for random draws
  // Calls body(argument, i) for every i below count, in any order, on any threads, and returns when all have returned.
  // May be null: then no kernel is shared.
  void (*parallel_for)(void* context, std::size_t count, void (*body)(void* argument, std::size_t i),
                       void* argument) = nullptr;
  void* context = nullptr;
  // Code made with CodegenOptions::count_ticks only: to number i is added what the processor's counter of time went on
  // while kernel number i ran.
  std::uint64_t* kernel_ticks = nullptr;
};

// The most threads that code in memory can be shared among.
inline constexpr int kMostThreads = 1024;

enum class Outcome : std::int32_t {
  done = 0,
  stopped = 1,     // by Control::stop; batches_done tells after how many
  not_finite = 2,  // the loss of batch number batches_done is NaN or infinite; that step stored nothing
  // A new value of the state is NaN or infinite in batch number batches_done: the old one was kept, with what belongs
  // to it. The other values of that step are stored; all are finite.
  update_not_finite = 3,
};
inline bool is_not_finite(Outcome outcome) {
  return outcome == Outcome::not_finite || outcome == Outcome::update_not_finite;
}

// The functions of a program as code sees them. `arrays` are in the order of Program::inputs, rows of row-major samples
// in the types of the program; `order`, where given, says which row comes when.
using InitFunction = void (*)(void* state, void* workspace);
using TrainFunction = std::int32_t (*)(void* state, void* workspace, const void* const* arrays,
                                       const std::uint32_t* order, std::uint64_t rows, Control* control);
using EvaluateFunction = std::int32_t (*)(const void* state, void* workspace, const void* const* arrays,
                                          const std::uint32_t* order, std::uint64_t rows, Control* control);
using AdaptFunction = TrainFunction;
using PredictFunction = std::int32_t (*)(const void* state, void* workspace, const void* const* arrays,
                                         void* const* outputs, std::uint64_t rows, Control* control);
// Values of Program::metrics from the accumulators in the workspace, in order, each in row-major order.
using ReportFunction = void (*)(void* workspace, double* values);

}  // namespace tarn
