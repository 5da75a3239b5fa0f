// Object files of whole models: the functions that are wanted, constants of built-in weights, formats of files, and a
// bound on the stack. See compiled_model.h.
#include "codegen/model/compiled_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "codegen/model/c_header.h"
#include "codegen/model/common_functions.h"
#include "codegen/model/compiled_functions.h"
#include "codegen/model/cpu_dispatch.h"
#include "codegen/object/compact_object.h"
#include "codegen/object/object_code.h"
#include "codegen/program/functions.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn {

namespace {

// Frame sizes as LLVM reports them for functions with the attribute "warn-stack-size".
struct FrameSizes {
  std::map<const llvm::Function*, std::uint64_t> bytes;

  void ask(llvm::Module& module) {
    for (llvm::Function& function : module) {
      if (!function.isDeclaration()) function.addFnAttr("warn-stack-size", "0");
    }
    module.getContext().setDiagnosticHandlerCallBack(
        [](const llvm::DiagnosticInfo* info, void* self) {
          const auto* frame = llvm::dyn_cast<llvm::DiagnosticInfoStackSize>(info);
          if (frame != nullptr) static_cast<FrameSizes*>(self)->bytes[&frame->getFunction()] = frame->getStackSize();
        },
        this);
  }
};

// The most that a function and those it calls may have on the stack at a time. A frame may be moved down to the
// alignment of a vector, and the last one may use the red zone below it.
class StackBound {
 public:
  explicit StackBound(const FrameSizes& frames) : frames_(frames) {}

  std::uint64_t of(const llvm::Function& function) {
    constexpr std::uint64_t kRedZone = 128, kReturnAddressAndAlignment = 16 + 64;
    if (function.isDeclaration()) return kRedZone;
    if (const auto known = bounds_.find(&function); known != bounds_.end()) return known->second;
    std::uint64_t deepest = kRedZone;
    for (const llvm::Instruction& instruction : llvm::instructions(function)) {
      const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
      if (call == nullptr) continue;
      for (const llvm::Function* callee : callees_of(*call)) deepest = std::max(deepest, of(*callee));
    }
    const auto frame = frames_.bytes.find(&function);
    const std::uint64_t own = frame == frames_.bytes.end() ? 0 : frame->second;
    return bounds_[&function] = deepest + own + kReturnAddressAndAlignment;
  }

 private:
  // Where an address is called: all functions of that type whose addresses are taken. What a caller's parallel_for has
  // on the stack is the caller's business.
  static std::vector<const llvm::Function*> callees_of(const llvm::CallInst& call) {
    if (call.getCalledFunction() != nullptr) return {call.getCalledFunction()};
    std::vector<const llvm::Function*> callees;
    for (const llvm::Function& function : *call.getModule()) {
      if (function.getFunctionType() == call.getFunctionType() && function.hasAddressTaken()) {
        callees.push_back(&function);
      }
    }
    return callees;
  }

  const FrameSizes& frames_;
  std::map<const llvm::Function*, std::uint64_t> bounds_;
};

std::uint64_t stack_bound(const llvm::Module& module, const FrameSizes& frames) {
  StackBound bound(frames);
  std::uint64_t most = 0;
  for (const llvm::Function& function : module) most = std::max(most, bound.of(function));
  return most;
}

std::string archive_of(const std::string& object, const std::string& member) {
  std::vector<llvm::NewArchiveMember> members;
  members.emplace_back(llvm::MemoryBufferRef(object, member));
  auto archive = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                            llvm::object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
  TARN_CHECK(static_cast<bool>(archive), "no archive can be made: " + llvm::toString(archive.takeError()));
  return (*archive)->getBuffer().str();
}

// The module as it stands before code generation, which changes it.
std::string module_text(const llvm::Module& module, CodeFormat format) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (format == CodeFormat::bitcode) {
    llvm::WriteBitcodeToFile(module, stream);
  } else {
    module.print(stream, nullptr);
  }
  return text;
}

// What is made for one CPU.
struct Version {
  Machine machine;
  ProgramPlan plan;  // of the graphs that are wanted
  ModelInterface interface;
  std::string level;  // of x86-64, where there are several versions
};

Result<Version> make_version(const Program& program, const CpuVersion& given, const InterfaceRequest& request,
                             bool packs) {
  Version version;
  TARN_TRY(version.machine, make_machine(given.codegen));
  version.machine.single_rest = !version.machine.target.has_masks();
  version.plan = *given.plan;
  if (!packs && !request.bake_weights) {
    version.plan.plans.erase("predict_packed");
    version.plan.packed = {};
  }
  TARN_TRY(version.interface, model_interface(program, version.plan, version.machine.target, request));
  const std::vector<std::string> graphs = graphs_of(version.interface, version.plan);
  std::erase_if(version.plan.plans, [&](const auto& entry) { return std::ranges::count(graphs, entry.first) == 0; });
  // Once more, for a workspace that only what is wanted needs.
  TARN_TRY(version.interface, model_interface(program, version.plan, version.machine.target, request));
  if (version.machine.llvm->createDataLayout().getPointerSize() != 8 && request.threads > 1)
    return error("--threads: only code for machines with pointers of 8 bytes is shared among threads");
  version.machine.most_threads = version.interface.threads;
  return version;
}

// Lowest level first; memory is enough for each of them.
Result<std::vector<Version>> make_versions(const Program& program, const std::vector<CpuVersion>& given,
                                           const InterfaceRequest& request) {
  std::vector<Version> versions;
  if (given.size() == 1) {
    TARN_TRY(Version version, make_version(program, given.front(), request, /*packs=*/true));
    versions.push_back(std::move(version));
    return versions;
  }
  std::vector<std::string> cpus;
  for (const CpuVersion& version : given) cpus.push_back(version.codegen.cpu);
  TARN_TRY(const std::vector<std::string> levels, levels_in_order(cpus, given.front().codegen.triple));
  // Weights are packed for all of them.
  const bool packs = std::ranges::all_of(
      given, [&](const CpuVersion& version) { return version.plan->packed == given.front().plan->packed; });
  for (const std::string& level : levels) {
    const auto at = std::ranges::find(cpus, level) - cpus.begin();
    TARN_TRY(Version version, make_version(program, given[static_cast<std::size_t>(at)], request, packs));
    version.level = levels.size() > 1 ? level : "";
    versions.push_back(std::move(version));
  }
  const auto enough = [&](std::uint64_t ModelInterface::* bytes) {
    std::uint64_t most = 0;
    for (const Version& version : versions) most = std::max(most, version.interface.*bytes);
    for (Version& version : versions) version.interface.*bytes = most;
  };
  enough(&ModelInterface::state_bytes);
  enough(&ModelInterface::workspace_bytes);
  enough(&ModelInterface::predict_workspace_bytes);
  return versions;
}

// For those who go on from the IR: the compiler that reads it must know what each function was made for. Functions of a
// level take its name, so that the next level makes its own.
void finish_functions(llvm::Module& module, const Machine& machine, const std::string& level) {
  for (llvm::Function& function : module) {
    if (function.isDeclaration() || function.hasFnAttribute("target-cpu")) continue;
    function.addFnAttr("target-cpu", machine.llvm->getTargetCPU());
    function.addFnAttr("target-features", machine.llvm->getTargetFeatureString());
    if (!level.empty() && !function.getName().ends_with("." + level))
      function.setName(name_at_level(function.getName().str(), level));
  }
}

std::unique_ptr<llvm::Module> emit_model(llvm::LLVMContext& context, const Program& program,
                                         std::vector<Version>& versions, std::span<const std::byte> state) {
  Version& first = versions.front();
  auto module = emit_program(context, program, first.plan, {}, first.machine);
  std::vector<std::string> levels;
  for (Version& version : versions) {
    std::vector<std::byte> weights;
    if (version.interface.is_baked) {
      weights.resize(version.plan.packed.bytes);
      copy_packed(version.plan.packed, state, weights);
    }
    emit_program(*module, program, version.plan, graphs_of(version.interface, version.plan), version.machine);
    emit_compiled_functions(*module, program, version.plan, version.machine.target, version.interface, weights,
                            version.level);
    finish_functions(*module, version.machine, version.level);
    levels.push_back(version.level);
  }
  emit_common_functions(*module, program, first.plan, first.interface);
  if (versions.size() > 1) emit_choices(*module, compiled_functions(first.interface), levels);
  finish_functions(*module, first.machine, "");
  return module;
}

HeaderOrigin origin_of(const std::vector<Version>& versions, const std::string& source, std::uint64_t stack_bytes) {
  const llvm::TargetMachine& machine = *versions.front().machine.llvm;
  HeaderOrigin origin{source, machine.getTargetTriple().str(), machine.getTargetCPU().str(), {}, stack_bytes};
  for (const Version& version : versions) {
    if (!version.level.empty()) origin.levels.push_back(version.level);
  }
  return origin;
}

void check_module(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  const bool broken = llvm::verifyModule(module, &stream);
  TARN_CHECK(!broken, "malformed LLVM IR: " + text);
}

}  // namespace

Result<CompiledModel> compile_model(const Program& program, const std::vector<CpuVersion>& given,
                                    const CompiledModelOptions& options, CodeFormat format) {
  TARN_TRY(std::vector<Version> versions, make_versions(program, given, options.interface));
  CompiledModel model;
  model.interface = versions.front().interface;
  llvm::LLVMContext context;
  const std::unique_ptr<llvm::Module> module = emit_model(context, program, versions, options.weights);
  if (given.front().codegen.verify) check_module(*module);
  if (format == CodeFormat::llvm_ir || format == CodeFormat::bitcode) model.code = module_text(*module, format);
  FrameSizes frames;
  frames.ask(*module);
  const Machine& machine = versions.front().machine;
  const llvm::SmallVector<char, 0> code = emit_code(*module, machine, format == CodeFormat::assembly);
  const llvm::StringRef bytes(code.data(), code.size());
  if (format == CodeFormat::assembly) model.code = bytes.str();
  if (format == CodeFormat::object) model.code = compact_object(bytes);
  if (format == CodeFormat::archive) model.code = archive_of(compact_object(bytes), model.interface.prefix + ".o");
  model.stack_bytes = stack_bound(*module, frames);
  model.header = c_header(model.interface, origin_of(versions, options.source, model.stack_bytes));
  return model;
}

}  // namespace tarn
