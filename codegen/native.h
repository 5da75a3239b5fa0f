// Native code for a program: what the runtime calls. No LLVM in here; native.cpp and the files behind it are the only
// ones that see it.
//
// Contract of the memory: `state` has state_bytes(program) bytes and `workspace` workspace_bytes(threads), both 64-byte
// aligned and the caller's. Nothing generated allocates, keeps a pointer, or has global state; two calls may run at the
// same time if their workspaces (and, where written, states) differ.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "passes/kernel_plan.h"

namespace tarn {

// The header of a state: its first kStateHeaderBytes bytes. Generated code reads the seed from it.
struct StateHeader {
  std::uint64_t layout = 0;  // layout_hash(program)
  std::uint64_t seed = 0;
  std::uint64_t reserved[6] = {};
};
static_assert(sizeof(StateHeader) == kStateHeaderBytes);

// Shared with generated code, which reads and writes the fields by their offsets; a plain struct of C.
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

enum class OptimizationLevel : std::uint8_t { none, less, standard };

// Object files of earlier runs, by a key that names all that decides about them. Called by several threads at once.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::optional<std::string> find(const std::string& key) = 0;
  virtual void keep(const std::string& key, std::string_view object) = 0;
};

struct CodegenOptions {
  std::string triple;    // empty: this machine's
  std::string cpu;       // empty or "native": this machine's
  std::string features;  // LLVM's feature string, added to the cpu's
  bool fast_math = false;
  OptimizationLevel level = OptimizationLevel::less;
  // Times every kernel (Control::kernel_ticks, which callers of train and predict must then give).
  bool count_ticks = false;
  // Runs LLVM's verifier over what is emitted, for tests.
  bool verify = false;
  // Code for vectors of 64 bytes, and as many as AVX-512 has, which LLVM takes apart for a lesser CPU: so tests run it
  // on that, too.
  bool wide_vectors = false;
  // Asked before anything is compiled in memory, and given what was; may be null.
  std::shared_ptr<ObjectStore> store;
};

// What the planner must know of the target that the options name.
Result<Target> target_of(const CodegenOptions& options);
// "znver4" and its features, for `--version` and the `compiled` event. The variable TARN_CPU of the environment names a
// lesser CPU, as --cpu does, for this machine to be taken for: so any machine shows what that one would do.
std::string host_cpu();
// Cores that this process may use, at least 1.
int available_cores();
std::vector<std::string> host_features();
std::string llvm_version();

class NativeProgram {
 public:
  virtual ~NativeProgram() = default;
  // Functions by need: each is compiled at the first call that asks for it (thread-safe); nullptr where the program has
  // no such graph.
  virtual InitFunction init() = 0;
  virtual TrainFunction train() = 0;
  virtual AdaptFunction adapt() = 0;
  virtual EvaluateFunction evaluate() = 0;
  virtual PredictFunction predict() = 0;
  // The same from packed weights, which copy_packed(plan.packed) makes of a state.
  virtual PredictFunction predict_packed() = 0;
  virtual ReportFunction report() = 0;
  // For calls that share kernels among so many threads.
  virtual std::uint64_t workspace_bytes(int threads = 1) const = 0;
  virtual const Target& target() const = 0;
};

// Compiles for this machine, in memory. `functions` names graphs to compile at once ("init", "train", …); the others
// follow when asked for.
Result<std::unique_ptr<NativeProgram>> compile_native(const Program& program, const ProgramPlan& plan,
                                                      const CodegenOptions& options,
                                                      const std::vector<std::string>& functions);

// LLVM IR or assembly of one function of the program, for `show`.
Result<std::string> print_llvm(const Program& program, const ProgramPlan& plan, const std::string& function,
                               const CodegenOptions& options);
Result<std::string> print_assembly(const Program& program, const ProgramPlan& plan, const std::string& function,
                                   const CodegenOptions& options);

}  // namespace tarn
