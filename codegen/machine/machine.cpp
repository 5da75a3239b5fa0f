// Target machines, and what options.h tells about this machine.
#include "codegen/machine/machine.h"

#include <fmt/format.h>

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "codegen/machine/other_machines.h"
#include "ir/joined.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

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

std::span<const Backend> other_backends;

const Backend* backend_of(const llvm::Triple& triple) {
  const auto found = std::ranges::find(other_backends, triple.getArch(), &Backend::arch);
  return found == other_backends.end() ? nullptr : &*found;
}

// The core that an architecture of microcontrollers came with: its name alone says nothing of a floating-point unit.
std::string microcontroller_of(const llvm::Triple& triple) {
  if (triple.getSubArch() == llvm::Triple::ARMSubArch_v7em) return "cortex-m4";
  if (triple.getSubArch() == llvm::Triple::ARMSubArch_v8m_mainline) return "cortex-m33";
  return "";
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

// The CPU that this machine is to be taken for; empty: the one it has.
const std::string& assumed_cpu() {
  static const std::string name = [] {
    const char* const given = std::getenv("TARN_CPU");
    return std::string(given == nullptr ? "" : given);
  }();
  return name;
}

// Features of this machine, of those that the CPU has which it is taken for.
llvm::StringMap<bool> find_features() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  if (assumed_cpu().empty()) return features;
  initialize_targets();
  const std::string triple = llvm::sys::getProcessTriple();
  std::string message;
  const llvm::Target* const backend = llvm::TargetRegistry::lookupTarget(triple, message);
  const std::unique_ptr<llvm::MCSubtargetInfo> known(backend->createMCSubtargetInfo(triple, "", ""));
  if (!known->isCPUStringValid(assumed_cpu())) return features;  // make_machine reports it
  const std::unique_ptr<llvm::MCSubtargetInfo> assumed(backend->createMCSubtargetInfo(triple, assumed_cpu(), ""));
  for (const llvm::SubtargetFeatureKV& feature : assumed->getAllProcessorFeatures()) {
    const auto detected = features.find(feature.Key);
    if (detected != features.end() && !assumed->getFeatureBits().test(feature.Value)) detected->second = false;
  }
  return features;
}

// Asked once: each question is an exit to the hypervisor where there is one.
const llvm::StringMap<bool>& detected_features() {
  static const llvm::StringMap<bool> features = find_features();
  return features;
}

// What this machine has beside its CPU's name, as LLVM's feature string in a fixed order: the name alone says too much
// where a hypervisor hides features. Each entry costs time with every machine that is made, so there are no others.
std::string find_host_features(const llvm::Target& backend, const std::string& triple) {
  const std::unique_ptr<llvm::MCSubtargetInfo> named(backend.createMCSubtargetInfo(triple, host_cpu(), ""));
  std::vector<std::string> entries;
  for (const llvm::SubtargetFeatureKV& feature : named->getAllProcessorFeatures()) {
    const auto detected = detected_features().find(feature.Key);
    if (detected == detected_features().end()) continue;
    const bool has = detected->second;
    if (has != named->getFeatureBits().test(feature.Value))
      entries.push_back((has ? "+" : "-") + std::string(feature.Key));
  }
  std::sort(entries.begin(), entries.end());
  return joined(entries, ",");
}

const std::string& host_feature_string(const llvm::Target& backend, const std::string& triple) {
  static const std::string features = find_host_features(backend, triple);
  return features;
}

bool has(const llvm::MCSubtargetInfo& subtarget, const char* features) { return subtarget.checkFeatures(features); }

// Whether there is such a feature, and the CPU does not have it.
bool is_without(const llvm::Target& backend, const std::string& triple, const std::string& cpu, std::string_view key) {
  const std::unique_ptr<llvm::MCSubtargetInfo> named(backend.createMCSubtargetInfo(triple, cpu, ""));
  const auto features = named->getAllProcessorFeatures();
  const auto found = std::ranges::find(features, key, [](const auto& row) { return std::string_view(row.Key); });
  return found != features.end() && !named->getFeatureBits().test(found->Value);
}

Status check_cpu(const llvm::Target& backend, const llvm::Triple& triple, const std::string& cpu) {
  const std::unique_ptr<llvm::MCSubtargetInfo> known(backend.createMCSubtargetInfo(triple.str(), "", ""));
  if (known == nullptr || !known->isCPUStringValid(cpu))
    return error(fmt::format("LLVM {} knows no CPU '{}' for the target '{}'", LLVM_VERSION_STRING, cpu, triple.str()));
  if (triple.isArch64Bit() && is_without(backend, triple.str(), cpu, "64bit"))
    return error(fmt::format("the CPU '{}' has 32 bits, and the target '{}' 64", cpu, triple.str()));
  return Done{};
}

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

// Everywhere else vectors have 16 bytes; where there are none, LLVM takes them apart, and one is four registers.
Target target_facts(const llvm::TargetMachine& machine) {
  const llvm::Triple& triple = machine.getTargetTriple();
  const llvm::MCSubtargetInfo& subtarget = *machine.getMCSubtargetInfo();
  if (triple.isX86()) return x86_target(subtarget);
  Target target;
  target.vector_registers = 8;
  if (triple.isAArch64()) {
    target.has_fma = true;
    target.vector_registers = 32;
  } else if (triple.isRISCV()) {
    target.has_fma = has(subtarget, "+f") && has(subtarget, "+d");
    if (has(subtarget, "+v")) target.vector_registers = 32;
  } else if (triple.isWasm()) {
    target.vector_registers = 16;
  } else if (triple.isARM() || triple.isThumb()) {
    // That of single precision alone would leave double precision to libm.
    target.has_fma = has(subtarget, "+vfp4");
    target.vector_registers = has(subtarget, "+neon") ? 16 : 8;
  }
  return target;
}

}  // namespace

void add_backends(std::span<const Backend> backends) { other_backends = backends; }

Result<Machine> make_machine(const CodegenOptions& options) {
  initialize_targets();
  const std::string triple =
      options.triple.empty() ? llvm::sys::getProcessTriple() : llvm::Triple::normalize(options.triple);
  const llvm::Triple parsed(triple);
  const Backend* const foreign = options.triple.empty() ? nullptr : backend_of(parsed);
  if (foreign != nullptr) foreign->initialize();
  const bool native = options.triple.empty() && (options.cpu.empty() || options.cpu == "native");
  std::string message;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(triple, message);
  if (backend == nullptr) {
    return error(
        fmt::format("no code can be made for the target '{}': there are x86_64, aarch64, riscv64, arm, thumb "
                    "and wasm32, as in aarch64-linux-gnu",
                    triple));
  }
  std::string cpu = native ? host_cpu() : options.cpu;
  std::string features;
  if (cpu.empty()) {
    cpu = microcontroller_of(parsed);
    if (cpu.empty() && foreign != nullptr) {
      cpu = foreign->cpu;
      features = foreign->features;
    }
    if (cpu.empty()) cpu = "generic";
  }
  // The name of this machine's own CPU needs no check, which takes as long as making a machine.
  if (!native || !assumed_cpu().empty()) {
    if (Status valid = check_cpu(*backend, parsed, cpu); !valid) return std::move(valid).error();
  }
  if (native) features = host_feature_string(*backend, triple);
  if (!options.features.empty()) features += (features.empty() ? "" : ",") + options.features;
  llvm::TargetOptions target_options;
  if (foreign != nullptr) target_options.MCOptions.ABIName = foreign->abi;
  // Where nothing is loaded at an address that is not known when it is linked, there is no table of addresses either.
  const bool is_placed = parsed.isWasm() || (foreign != nullptr && parsed.getOS() == llvm::Triple::UnknownOS);
  Machine machine;
  machine.llvm.reset(backend->createTargetMachine(triple, cpu, features, target_options,
                                                  is_placed ? llvm::Reloc::Static : llvm::Reloc::PIC_,
                                                  llvm::CodeModel::Small, level_of(options.level)));
  if (machine.llvm == nullptr) return error(fmt::format("no code can be made for the target '{}'", triple));
  machine.target = target_facts(*machine.llvm);
  if (options.wide_vectors) {
    machine.target.vector_bytes = 64;
    machine.target.vector_registers = 32;
  }
  machine.single_rest = machine.target.vector_bytes < 32;
  machine.fast_math = options.fast_math;
  machine.count_ticks = options.count_ticks;
  return machine;
}

// Remembered: making a machine takes a good part of a millisecond, and this is asked several times on the way to code.
Result<Target> target_of(const CodegenOptions& options) {
  static std::mutex mutex;
  static std::map<std::vector<std::string>, Target> known;
  const std::scoped_lock lock(mutex);
  const std::vector<std::string> key = {options.triple, options.cpu, options.features,
                                        options.wide_vectors ? "wide" : ""};
  const auto found = known.find(key);
  if (found != known.end()) return Target(found->second);
  TARN_TRY(const Machine machine, make_machine(options));
  known.emplace(key, machine.target);
  return Target(machine.target);
}

Result<CodegenOptions> options_for_this_machine(const CodegenOptions& options) {
  if (!options.triple.empty() || options.cpu.empty() || options.cpu == "native") return CodegenOptions(options);
  TARN_TRY(const Machine named, make_machine(options));
  const llvm::MCSubtargetInfo& subtarget = *named.llvm->getMCSubtargetInfo();
  std::vector<std::string> missing;
  for (const llvm::SubtargetFeatureKV& feature : subtarget.getAllProcessorFeatures()) {
    const auto detected = detected_features().find(feature.Key);
    const bool is_missing = detected != detected_features().end() && !detected->second;
    if (is_missing && subtarget.getFeatureBits().test(feature.Value)) missing.push_back("-" + std::string(feature.Key));
  }
  if (missing.empty()) return CodegenOptions(options);
  CodegenOptions here = options;
  if (!here.features.empty()) here.features += ',';
  here.features += joined(missing, ",");
  TARN_TRY(const Target target, target_of(here));
  if (target == named.target) return here;
  return error(fmt::format("code for the CPU '{}' does not run on this machine, whose vectors have {} bytes{}",
                           options.cpu, target.vector_bytes, target.has_fma ? "" : ", without multiply-add"));
}

std::string host_cpu() {
  static const std::string name = assumed_cpu().empty() ? llvm::sys::getHostCPUName().str() : assumed_cpu();
  return name;
}

int available_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? std::max(CPU_COUNT(&cores), 1) : 1;
}

std::vector<std::string> host_features() {
  std::vector<std::string> features;
  for (const auto& feature : detected_features()) {
    if (feature.second) features.push_back(feature.first().str());
  }
  std::sort(features.begin(), features.end());
  return features;
}

std::string llvm_version() { return LLVM_VERSION_STRING; }

}  // namespace tarn
