// Resolvers of indirect functions, around the CPUID instruction. See cpu_dispatch.h. Bits: Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2A, CPUID; levels: System V ABI, AMD64 supplement, 3.1.1.
#include "codegen/model/cpu_dispatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "codegen/kernels/loops.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace tarn {

namespace {

// What a level has beyond the one before it.
struct Level {
  const char* cpu;
  std::uint32_t basic;     // leaf 1, ECX
  std::uint32_t extended;  // leaf 7, EBX
  std::uint32_t amd;       // leaf 80000001h, ECX
  std::uint32_t saved;     // XCR0: registers that the system saves
};

constexpr std::uint32_t bit(unsigned number) { return std::uint32_t{1} << number; }

constexpr Level kLevels[] = {
    {"x86-64", 0, 0, 0, 0},
    // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF
    {"x86-64-v2", bit(0) | bit(9) | bit(13) | bit(19) | bit(20) | bit(23), 0, bit(0), 0},
    // FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; XMM, YMM
    {"x86-64-v3", bit(12) | bit(22) | bit(27) | bit(28) | bit(29), bit(3) | bit(5) | bit(8), bit(5), bit(1) | bit(2)},
    // AVX-512 F, DQ, CD, BW, VL; masks, upper halves, upper registers
    {"x86-64-v4", 0, bit(16) | bit(17) | bit(28) | bit(30) | bit(31), 0, bit(5) | bit(6) | bit(7)},
};
constexpr unsigned kOsxsave = 27;

const Level* level_named(const std::string& cpu) {
  const auto* const found =
      std::find_if(std::begin(kLevels), std::end(kLevels), [&](const Level& level) { return cpu == level.cpu; });
  return found == std::end(kLevels) ? nullptr : found;
}

llvm::Function* private_function(llvm::Module& module, const std::string& name, llvm::Type* result) {
  auto* const function =
      llvm::Function::Create(llvm::FunctionType::get(result, false), llvm::GlobalValue::PrivateLinkage, name, module);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  llvm::BasicBlock::Create(module.getContext(), "entry", function);
  return function;
}

class LevelEmitter {
 public:
  LevelEmitter(llvm::Module& module, const std::vector<std::string>& levels)
      : function_(private_function(module, "level_of_machine", llvm::Type::getInt32Ty(module.getContext()))),
        b_(&function_->getEntryBlock()),
        levels_(levels) {}

  // i32 (): the index of the highest level that the machine has.
  llvm::Function* emit();

 private:
  llvm::Value* number(std::uint32_t value) { return b_.getInt32(value); }
  // Registers EAX, EBX, ECX, EDX of a leaf.
  llvm::Value* cpuid(std::uint32_t leaf, unsigned answer);
  // The leaf's answer, 0 where the machine does not know the leaf.
  llvm::Value* known(std::uint32_t leaf, unsigned answer);
  llvm::Value* saved_registers(llvm::Value* basic);
  llvm::Value* has_all(llvm::Value* bits, std::uint32_t wanted) {
    return b_.CreateICmpEQ(b_.CreateAnd(bits, number(wanted)), number(wanted));
  }

  llvm::Function* function_;
  llvm::IRBuilder<> b_;
  const std::vector<std::string>& levels_;
};

llvm::Value* LevelEmitter::cpuid(std::uint32_t leaf, unsigned answer) {
  llvm::Type* const i32 = b_.getInt32Ty();
  auto* const result = llvm::StructType::get(i32, i32, i32, i32);
  auto* const code = llvm::InlineAsm::get(llvm::FunctionType::get(result, {i32, i32}, false), "cpuid",
                                          "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}", false);
  return b_.CreateExtractValue(b_.CreateCall(code, {number(leaf), number(0)}), answer);
}

llvm::Value* LevelEmitter::known(std::uint32_t leaf, unsigned answer) {
  llvm::Value* const last = cpuid(leaf & 0x80000000, 0);
  return b_.CreateSelect(b_.CreateICmpUGE(last, number(leaf)), cpuid(leaf, answer), number(0));
}

// XGETBV exists where the system has switched it on.
llvm::Value* LevelEmitter::saved_registers(llvm::Value* basic) {
  return emit_if(b_, has_all(basic, bit(kOsxsave)), {number(0)},
                 [&](const Carried&) {
                   llvm::Type* const i32 = b_.getInt32Ty();
                   auto* const result = llvm::StructType::get(i32, i32);
                   auto* const code = llvm::InlineAsm::get(llvm::FunctionType::get(result, {i32}, false), "xgetbv",
                                                           "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}", false);
                   return Carried{b_.CreateExtractValue(b_.CreateCall(code, {number(0)}), 0)};
                 })
      .front();
}

llvm::Function* LevelEmitter::emit() {
  llvm::Value* const basic = known(1, 2);
  llvm::Value* const extended = known(7, 1);
  llvm::Value* const amd = known(0x80000001, 2);
  llvm::Value* const saved = saved_registers(basic);
  llvm::Value *index = number(0), *has_it = b_.getTrue();
  std::uint32_t at = 0;
  for (const Level& level : kLevels) {
    for (const auto& [bits, wanted] : {std::pair(basic, level.basic), std::pair(extended, level.extended),
                                       std::pair(amd, level.amd), std::pair(saved, level.saved)}) {
      has_it = b_.CreateAnd(has_it, has_all(bits, wanted));
    }
    if (at == levels_.size() || levels_[at] != level.cpu) continue;
    index = b_.CreateSelect(has_it, number(at), index);
    ++at;
  }
  b_.CreateRet(index);
  return function_;
}

}  // namespace

Result<std::vector<std::string>> levels_in_order(const std::vector<std::string>& cpus, const std::string& triple) {
  const llvm::Triple machine(triple.empty() ? llvm::sys::getProcessTriple() : llvm::Triple::normalize(triple));
  if (machine.getArch() != llvm::Triple::x86_64 || !machine.isOSBinFormatELF())
    return error(fmt::format("--cpu: code for several CPUs in one object is made for x86_64 with ELF, not for '{}'",
                             machine.str()));
  for (const std::string& cpu : cpus) {
    if (level_named(cpu) == nullptr) {
      return error(
          fmt::format("--cpu: one object may hold code for x86-64, x86-64-v2, x86-64-v3 and x86-64-v4, and not "
                      "for '{}' among others",
                      cpu));
    }
  }
  std::vector<std::string> levels = cpus;
  std::ranges::sort(levels);
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

std::string name_at_level(const std::string& name, const std::string& level) { return name + "." + level; }

void emit_choices(llvm::Module& module, const std::vector<std::string>& names, const std::vector<std::string>& levels) {
  // Inline assembly is read when code is made of it.
  LLVMInitializeX86AsmParser();
  llvm::Function* const level_of_machine = LevelEmitter(module, levels).emit();
  for (const std::string& name : names) {
    llvm::Function* const resolver =
        private_function(module, name + ".resolver", llvm::PointerType::getUnqual(module.getContext()));
    llvm::IRBuilder<> b(&resolver->getEntryBlock());
    llvm::Value* const level = b.CreateCall(level_of_machine);
    llvm::Value* chosen = module.getFunction(name_at_level(name, levels.front()));
    llvm::Type* const type = module.getFunction(name_at_level(name, levels.front()))->getFunctionType();
    for (std::uint32_t i = 1; i < levels.size(); ++i) {
      llvm::Value* const candidate = module.getFunction(name_at_level(name, levels[i]));
      chosen = b.CreateSelect(b.CreateICmpEQ(level, b.getInt32(i)), candidate, chosen);
    }
    b.CreateRet(chosen);
    llvm::GlobalIFunc::create(type, 0, llvm::GlobalValue::ExternalLinkage, name, resolver, &module);
  }
}

}  // namespace tarn
