// Native code for a program in memory: functions compiled by need. See native.h.
#include "codegen/native.h"

#include <fmt/format.h>

#include <array>
#include <mutex>

#include "codegen/object_code.h"
#include "codegen/program_functions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn {

namespace {

// A module and what it lives in.
struct Unit {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

Unit make_unit(const Program& program, const ProgramPlan& plan, const std::string& name, const Machine& machine,
               bool verify) {
  Unit unit;
  unit.context = std::make_unique<llvm::LLVMContext>();
  unit.context->setDiscardValueNames(false);
  unit.module = emit_program_function(*unit.context, program, plan, name, machine);
  if (verify) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    const bool broken = llvm::verifyModule(*unit.module, &stream);
    TARN_CHECK(!broken, fmt::format("the LLVM IR of '{}' is malformed: {}", name, text));
  }
  return unit;
}

// Compiles functions when they are asked for. Program and plan are copied: functions are compiled after compile_native
// has returned.
class JitProgram : public NativeProgram {
 public:
  JitProgram(const Program& program, const ProgramPlan& plan, const CodegenOptions& options, const Target& target)
      : plan_(plan), options_(options), target_(target) {
    // Graphs are not needed any more, and large.
    program_.name = program.name;
    program_.inputs = program.inputs;
    program_.outputs = program.outputs;
    program_.tensors = program.tensors;
    program_.settings.batch = program.settings.batch;
    workspace_bytes_ = workspace_layout(program_, plan_, target).bytes;
  }

  InitFunction init() override { return reinterpret_cast<InitFunction>(function("init")); }
  TrainFunction train() override { return reinterpret_cast<TrainFunction>(function("train")); }
  AdaptFunction adapt() override { return reinterpret_cast<AdaptFunction>(function("adapt")); }
  EvaluateFunction evaluate() override { return reinterpret_cast<EvaluateFunction>(function("evaluate")); }
  PredictFunction predict() override { return reinterpret_cast<PredictFunction>(function("predict")); }
  ReportFunction report() override { return reinterpret_cast<ReportFunction>(function("report")); }
  std::uint64_t workspace_bytes() const override { return workspace_bytes_; }
  const Target& target() const override { return target_; }

  // The function, compiled if need be; nullptr where the program has no such graph.
  Result<void*> compile(const std::string& name) {
    if (plan_.plans.find(name) == plan_.plans.end()) return static_cast<void*>(nullptr);
    Entry& entry = entries_[index_of(name)];
    const std::scoped_lock lock(entry.mutex);
    if (entry.code == nullptr) {
      TARN_TRY(const Machine machine, make_machine(options_));
      const Unit unit = make_unit(program_, plan_, name, machine, options_.verify);
      const llvm::SmallVector<char, 0> object = emit_code(*unit.module, machine);
      TARN_TRY(entry.code, load_object(llvm::StringRef(object.data(), object.size())));
    }
    return entry.code->find(symbol_of(name));
  }

 private:
  struct Entry {
    std::mutex mutex;
    std::unique_ptr<LoadedCode> code;
  };
  static constexpr std::array<const char*, 6> kNames = {"init", "train", "adapt", "evaluate", "predict", "report"};
  static std::size_t index_of(const std::string& name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (name == kNames[i]) return i;
    }
    TARN_CHECK(false, "no function of a program: " + name);
    return 0;
  }
  void* function(const std::string& name) {
    const Result<void*> compiled = compile(name);
    // The options were good enough for compile_native; what fails now is that there is no memory for the code.
    TARN_CHECK(compiled.has_value(), compiled.error().front().message);
    return *compiled;
  }

  Program program_;
  ProgramPlan plan_;
  CodegenOptions options_;
  Target target_;
  std::uint64_t workspace_bytes_ = 0;
  std::array<Entry, kNames.size()> entries_;
};

Result<Machine> machine_for(const ProgramPlan& plan, const std::string& function, const CodegenOptions& options) {
  if (plan.plans.find(function) == plan.plans.end()) {
    return error(fmt::format("the program has no function '{}'", function));
  }
  return make_machine(options);
}

}  // namespace

Result<std::unique_ptr<NativeProgram>> compile_native(const Program& program, const ProgramPlan& plan,
                                                      const CodegenOptions& options,
                                                      const std::vector<std::string>& functions) {
  TARN_TRY(const Target target, target_of(options));
  auto native = std::make_unique<JitProgram>(program, plan, options, target);
  for (const std::string& name : functions) {
    TARN_RETURN_IF_ERROR(native->compile(name));
  }
  return std::unique_ptr<NativeProgram>(std::move(native));
}

Result<std::string> print_llvm(const Program& program, const ProgramPlan& plan, const std::string& function,
                               const CodegenOptions& options) {
  TARN_TRY(const Machine machine, machine_for(plan, function, options));
  const Unit unit = make_unit(program, plan, function, machine, options.verify);
  std::string text;
  llvm::raw_string_ostream stream(text);
  unit.module->print(stream, nullptr);
  return text;
}

Result<std::string> print_assembly(const Program& program, const ProgramPlan& plan, const std::string& function,
                                   const CodegenOptions& options) {
  TARN_TRY(const Machine machine, machine_for(plan, function, options));
  const Unit unit = make_unit(program, plan, function, machine, options.verify);
  const llvm::SmallVector<char, 0> text = emit_code(*unit.module, machine, /*assembly=*/true);
  return std::string(text.begin(), text.end());
}

}  // namespace tarn
