// The backends of LLVM that Tarn was tried with. Features are those that every machine of the kind has had for years.
#include "codegen/machine/other_machines.h"

#include "codegen/machine/options.h"
#include "llvm/Support/TargetSelect.h"

namespace tarn {

namespace {

constexpr Backend kBackends[] = {
    {llvm::Triple::aarch64,
     [] {
       LLVMInitializeAArch64TargetInfo();
       LLVMInitializeAArch64Target();
       LLVMInitializeAArch64TargetMC();
       LLVMInitializeAArch64AsmPrinter();
     },
     "generic", "", ""},
    {llvm::Triple::riscv64,
     [] {
       LLVMInitializeRISCVTargetInfo();
       LLVMInitializeRISCVTarget();
       LLVMInitializeRISCVTargetMC();
       LLVMInitializeRISCVAsmPrinter();
     },
     "generic-rv64", "+m,+a,+f,+d,+c", "lp64d"},
    {llvm::Triple::arm,
     [] {
       LLVMInitializeARMTargetInfo();
       LLVMInitializeARMTarget();
       LLVMInitializeARMTargetMC();
       LLVMInitializeARMAsmPrinter();
     },
     "generic", "", ""},
    {llvm::Triple::thumb,
     [] {
       LLVMInitializeARMTargetInfo();
       LLVMInitializeARMTarget();
       LLVMInitializeARMTargetMC();
       LLVMInitializeARMAsmPrinter();
     },
     "generic", "", ""},
    {llvm::Triple::wasm32,
     [] {
       LLVMInitializeWebAssemblyTargetInfo();
       LLVMInitializeWebAssemblyTarget();
       LLVMInitializeWebAssemblyTargetMC();
       LLVMInitializeWebAssemblyAsmPrinter();
     },
     "generic", "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals", ""},
};

}  // namespace

void enable_other_machines() { add_backends(kBackends); }

}  // namespace tarn
