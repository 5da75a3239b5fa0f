// Native code for a program in memory: functions compiled by need. See native.h.
#include "codegen/native.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "codegen/object/code_key.h"
#include "codegen/object/object_code.h"
#include "codegen/program/functions.h"
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

// For code in memory, which threads may share.
Result<Machine> this_machine(const CodegenOptions& options) {
  TARN_TRY(Machine machine, make_machine(options));
  machine.most_threads = kMostThreads;
  return machine;
}

Unit make_unit(const Program& program, const ProgramPlan& plan, const std::vector<std::string>& names,
               const Machine& machine, const CodegenOptions& options, bool readable) {
  Unit unit;
  unit.context = std::make_unique<llvm::LLVMContext>();
  unit.context->setDiscardValueNames(!readable);
  unit.module = emit_program(*unit.context, program, plan, names, machine);
  if (options.verify) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    const bool broken = llvm::verifyModule(*unit.module, &stream);
    TARN_CHECK(!broken, fmt::format("malformed LLVM IR: {}", text));
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
    layout_ = workspace_layout(program_, plan_, target);
  }

  InitFunction init() override { return reinterpret_cast<InitFunction>(function("init")); }
  TrainFunction train() override { return reinterpret_cast<TrainFunction>(function("train")); }
  AdaptFunction adapt() override { return reinterpret_cast<AdaptFunction>(function("adapt")); }
  EvaluateFunction evaluate() override { return reinterpret_cast<EvaluateFunction>(function("evaluate")); }
  PredictFunction predict() override { return reinterpret_cast<PredictFunction>(function("predict")); }
  PredictFunction predict_packed() override { return reinterpret_cast<PredictFunction>(function("predict_packed")); }
  ReportFunction report() override { return reinterpret_cast<ReportFunction>(function("report")); }
  std::uint64_t workspace_bytes(int threads) const override {
    return layout_.bytes + static_cast<std::uint64_t>(threads - 1) * layout_.scratch;
  }
  const Target& target() const override { return target_; }

  // Compiles those functions of the program that are not compiled yet.
  Status compile(const std::vector<std::string>& names) {
    const std::scoped_lock lock(mutex_);
    return compile_locked(names);
  }

 private:
  using Code = Result<std::unique_ptr<LoadedCode>>;

  using Object = llvm::SmallVector<char, 0>;

  // Making the module is little of the work, so each part makes all of it.
  Result<Object> compile_part(const std::vector<std::string>& names, std::size_t part, std::size_t parts) const {
    TARN_TRY(const Machine machine, this_machine(options_));
    const Unit unit = make_unit(program_, plan_, names, machine, options_, /*readable=*/false);
    keep_part(*unit.module, part, parts);
    return emit_code(*unit.module, machine);
  }

  // As many parts as there are cores, but for the small gain of more than two.
  Result<std::vector<Object>> compile_parts(const std::vector<std::string>& names) const {
    std::vector<std::optional<Result<Object>>> results(available_cores() > 1 ? 2 : 1);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 1; i < results.size(); ++i) {
        threads.emplace_back([&, i] { results[i] = compile_part(names, i, results.size()); });
      }
      results[0] = compile_part(names, 0, results.size());
    }
    std::vector<Object> objects;
    for (std::optional<Result<Object>>& result : results) {
      TARN_TRY(Object object, std::move(*result));
      objects.push_back(std::move(object));
    }
    return objects;
  }

  // What is kept: the length of the first object in 8 bytes, the objects, each at a multiple of 8.
  Code load_kept(llvm::StringRef kept) const {
    std::uint64_t first = 0;
    std::memcpy(&first, kept.data(), sizeof(first));
    const llvm::StringRef objects = kept.substr(sizeof(first));
    std::vector<llvm::StringRef> parts = {objects.substr(0, first)};
    if (first < objects.size()) parts.push_back(objects.substr(first));
    return load_objects(parts);
  }

  Code compile_module(const std::vector<std::string>& names) const {
    const std::string key = options_.store == nullptr ? "" : code_key(program_, plan_, names, options_);
    if (!key.empty()) {
      if (const std::optional<std::string> kept = options_.store->find(key)) return load_kept(*kept);
    }
    TARN_TRY(const std::vector<Object> objects, compile_parts(names));
    const auto padded = [](std::size_t bytes) { return (bytes + 7) / 8 * 8; };
    const std::uint64_t first = padded(objects.front().size());
    std::string all(reinterpret_cast<const char*>(&first), sizeof(first));
    for (const Object& object : objects) {
      all.append(object.data(), object.size());
      all.resize(padded(all.size()));
    }
    if (!key.empty()) options_.store->keep(key, all);
    return load_kept(all);
  }

  Status compile_locked(const std::vector<std::string>& names) {
    std::vector<std::string> missing;
    for (const std::string& name : names) {
      if (plan_.plans.count(name) != 0 && functions_.count(name) == 0) missing.push_back(name);
    }
    if (missing.empty()) return Done{};
    TARN_TRY(std::unique_ptr<LoadedCode> code, compile_module(missing));
    for (const std::string& name : missing) functions_[name] = code->find(symbol_of(name));
    code_.push_back(std::move(code));
    return Done{};
  }

  // nullptr where the program has no such graph.
  void* function(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    if (plan_.plans.count(name) == 0) return nullptr;
    if (const auto known = functions_.find(name); known != functions_.end()) return known->second;
    const Status compiled = compile_locked({name});
    // The options were good enough for compile_native; what fails now is that there is no memory for the code.
    TARN_CHECK(compiled.has_value(), compiled.error().front().message);
    return functions_.at(name);
  }

  Program program_;
  ProgramPlan plan_;
  CodegenOptions options_;
  Target target_;
  WorkspaceLayout layout_;
  std::mutex mutex_;
  std::map<std::string, void*> functions_;
  std::vector<std::unique_ptr<LoadedCode>> code_;
};

Result<Machine> machine_for(const ProgramPlan& plan, const std::string& function, const CodegenOptions& options) {
  if (plan.plans.find(function) == plan.plans.end()) {
    return error(fmt::format("the program has no function '{}'", function));
  }
  return this_machine(options);
}

}  // namespace

Result<std::unique_ptr<NativeProgram>> compile_native(const Program& program, const ProgramPlan& plan,
                                                      const CodegenOptions& options,
                                                      const std::vector<std::string>& functions) {
  TARN_TRY(const Target target, target_of(options));
  const Result<CodegenOptions> here = options_for_this_machine(options);
  // A program that is only planned, as for an object file, may be for any machine.
  if (!here && !functions.empty()) return here.error();
  auto native = std::make_unique<JitProgram>(program, plan, here ? *here : options, target);
  TARN_RETURN_IF_ERROR(native->compile(functions));
  return std::unique_ptr<NativeProgram>(std::move(native));
}

Result<std::string> print_llvm(const Program& program, const ProgramPlan& plan, const std::string& function,
                               const CodegenOptions& options) {
  TARN_TRY(const Machine machine, machine_for(plan, function, options));
  const Unit unit = make_unit(program, plan, {function}, machine, options, /*readable=*/true);
  std::string text;
  llvm::raw_string_ostream stream(text);
  unit.module->print(stream, nullptr);
  return text;
}

Result<std::string> print_assembly(const Program& program, const ProgramPlan& plan, const std::string& function,
                                   const CodegenOptions& options) {
  TARN_TRY(const Machine machine, machine_for(plan, function, options));
  const Unit unit = make_unit(program, plan, {function}, machine, options, /*readable=*/true);
  const llvm::SmallVector<char, 0> text = emit_code(*unit.module, machine, /*assembly=*/true);
  return std::string(text.begin(), text.end());
}

}  // namespace tarn
