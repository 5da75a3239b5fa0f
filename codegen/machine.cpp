// Target machines, and what native.h tells about this machine.
#include "codegen/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "llvm/ADT/StringMap.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

namespace tarn {

namespace {

// Loop strength reduction and the machine scheduler take 40 % of the time of code generation and gain nothing here:
// addresses are emitted in the form that the machine has, and in the order of their use. LLVM offers no other way to
// leave them out than its command line.
void set_llvm_option(const char* name, const char* value) {
  auto& options = llvm::cl::getRegisteredOptions();
  const auto option = options.find(name);
  TARN_CHECK(option != options.end(), fmt::format("LLVM has no option '{}'", name));
  option->second->addOccurrence(0, name, value);
}

void initialize_targets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    set_llvm_option("disable-lsr", "true");
    set_llvm_option("enable-misched", "false");
  });
}

llvm::CodeGenOptLevel level_of(OptimizationLevel level) {
  switch (level) {
    case OptimizationLevel::none:
      return llvm::CodeGenOptLevel::None;
    case OptimizationLevel::less:
      return llvm::CodeGenOptLevel::Less;
    case OptimizationLevel::standard:
      return llvm::CodeGenOptLevel::Default;
  }
  return llvm::CodeGenOptLevel::Less;
}

// This machine's features as LLVM's feature string, in a fixed order: the CPU's name alone says too much where a
// hypervisor hides features.
std::string host_feature_string() {
  std::vector<std::string> entries;
  for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
    entries.push_back((feature.second ? "+" : "-") + feature.first().str());
  }
  std::sort(entries.begin(), entries.end());
  return fmt::format("{}", fmt::join(entries, ","));
}

bool has(const llvm::MCSubtargetInfo& subtarget, const char* features) { return subtarget.checkFeatures(features); }

Target x86_target(const llvm::MCSubtargetInfo& subtarget) {
  Target target;
  target.has_fma = has(subtarget, "+fma");
  if (has(subtarget, "+avx512f,+avx512bw,+avx512dq,+avx512vl")) {
    target.vector_bytes = 64;
    target.vector_registers = 32;
  } else if (has(subtarget, "+avx2")) {
    target.vector_bytes = 32;
  }
  return target;
}

Target target_facts(const llvm::TargetMachine& machine) {
  if (machine.getTargetTriple().isX86()) return x86_target(*machine.getMCSubtargetInfo());
  Target target;
  target.has_fma = machine.getTargetTriple().isAArch64();
  target.vector_registers = machine.getTargetTriple().isAArch64() ? 32 : 16;
  return target;
}

}  // namespace

Result<Machine> make_machine(const CodegenOptions& options) {
  initialize_targets();
  const std::string triple = options.triple.empty() ? llvm::sys::getProcessTriple() : options.triple;
  const bool native = options.cpu.empty() || options.cpu == "native";
  std::string message;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(triple, message);
  if (backend == nullptr) return error(fmt::format("no code can be made for the target '{}': {}", triple, message));
  const std::string cpu = native ? llvm::sys::getHostCPUName().str() : options.cpu;
  std::string features = native && options.triple.empty() ? host_feature_string() : "";
  if (!options.features.empty()) features += (features.empty() ? "" : ",") + options.features;
  const std::unique_ptr<llvm::MCSubtargetInfo> known(backend->createMCSubtargetInfo(triple, "", ""));
  if (known == nullptr || !known->isCPUStringValid(cpu)) {
    return error(fmt::format("LLVM {} knows no CPU '{}' for the target '{}'", LLVM_VERSION_STRING, cpu, triple));
  }
  llvm::TargetOptions target_options;
  Machine machine;
  machine.llvm.reset(backend->createTargetMachine(triple, cpu, features, target_options, llvm::Reloc::PIC_,
                                                  llvm::CodeModel::Small, level_of(options.level)));
  if (machine.llvm == nullptr) return error(fmt::format("no code can be made for the target '{}'", triple));
  machine.target = target_facts(*machine.llvm);
  machine.cheap_masks = machine.target.vector_bytes == 64;
  machine.fast_math = options.fast_math;
  return machine;
}

Result<Target> target_of(const CodegenOptions& options) {
  TARN_TRY(const Machine machine, make_machine(options));
  return Target(machine.target);
}

std::string host_cpu() { return llvm::sys::getHostCPUName().str(); }

std::vector<std::string> host_features() {
  std::vector<std::string> features;
  for (const auto& feature : llvm::sys::getHostCPUFeatures()) {
    if (feature.second) features.push_back(feature.first().str());
  }
  std::sort(features.begin(), features.end());
  return features;
}

std::string llvm_version() { return LLVM_VERSION_STRING; }

}  // namespace tarn
