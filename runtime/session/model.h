// A compiled model: the program that the frontend made of a file, its kernel plans, and native code for this machine.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codegen/native.h"
#include "ir/program.h"
#include "ir/setting.h"
#include "passes/pipeline.h"

namespace tarn {

struct ModelOptions {
  DType float_type = DType::f32;      // the default float type of the whole model
  std::vector<Setting> overrides;     // in order: the last one of a key wins
  std::optional<std::uint64_t> seed;  // instead of the train block's
  CodegenOptions codegen;
  PassOptions passes;
  bool fuse = true;
};

// Immutable after compile() but for native code, which is made when it is first asked for; safe to share between
// threads.
class Model {
 public:
  // Parses, elaborates, differentiates, fuses. `functions` names the graphs that will be needed as native code at once.
  // Warnings are left in warnings(); errors are the result.
  static Result<std::shared_ptr<Model>> compile(const std::string& path, const ModelOptions& options,
                                                const std::vector<std::string>& functions, Sources& sources);
  // The same where the program decides which functions those are: asked once, when nothing but native code is missing.
  using Functions = std::function<std::vector<std::string>(const Program&)>;
  static Result<std::shared_ptr<Model>> compile_some(const std::string& path, const ModelOptions& options,
                                                     const Functions& functions, Sources& sources);
  // The same for a text, which diagnostics call `name`; imports and data are relative to the folder of that.
  static Result<std::shared_ptr<Model>> compile_text(const std::string& name, std::string text,
                                                     const ModelOptions& options,
                                                     const std::vector<std::string>& functions, Sources& sources);

  const Program& program() const { return program_; }
  const ProgramPlan& plan() const { return plan_; }
  NativeProgram& native() const { return *native_; }
  const Diagnostics& warnings() const { return warnings_; }
  // The folder that the data of the model file is relative to.
  const std::string& folder() const { return folder_; }
  // Milliseconds from reading the file to native code for `functions`.
  double compile_milliseconds() const { return compile_milliseconds_; }

 private:
  Model() = default;
  static Result<std::shared_ptr<Model>> compile(const std::string& path, std::optional<std::string> text,
                                                const ModelOptions& options, const Functions& functions,
                                                Sources& sources);

  Program program_;
  ProgramPlan plan_;
  std::unique_ptr<NativeProgram> native_;
  Diagnostics warnings_;
  std::string folder_;
  double compile_milliseconds_ = 0;
};

// The steps before native code, for commands that stop there: the program of a file with its offsets assigned.
Result<Program> load_program(const std::string& path, const ModelOptions& options, Sources& sources,
                             Diagnostics& warnings);
// What metrics turned out to be that go by a name for several: "metric 'accuracy' is binary_accuracy".
std::vector<std::string> notes_on_metrics(const Program& program);
// What the planner is told for these options.
Result<PlanOptions> plan_options(const ModelOptions& options);
// Its kernel plans for the machine that the options name.
Result<ProgramPlan> plan_program(const Program& program, const ModelOptions& options, Sources& sources,
                                 Diagnostics& warnings);

}  // namespace tarn
