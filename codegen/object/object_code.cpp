// Object files from modules, and their loader: RuntimeDyld on one block of memory, which is quicker to start than ORC
// and serves cached object files as well.
#include "codegen/object/object_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "llvm/ADT/STLExtras.h"
#include "llvm/CodeGen/MachineModuleInfo.h"
#include "llvm/CodeGen/Passes.h"
#include "llvm/CodeGen/TargetPassConfig.h"
#include "llvm/ExecutionEngine/JITSymbol.h"
#include "llvm/ExecutionEngine/RuntimeDyld.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/Memory.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

namespace tarn {

namespace {

// All sections of an object in one mapping, so that every section reaches every other by 32-bit displacements: code,
// read-only data, data, each starting a page; those of other objects are reached through the linker's table of
// addresses. Nothing is writable and executable at once.
class OneBlockMemory : public llvm::RuntimeDyld::MemoryManager {
 public:
  OneBlockMemory() = default;
  OneBlockMemory(const OneBlockMemory&) = delete;
  OneBlockMemory& operator=(const OneBlockMemory&) = delete;
  ~OneBlockMemory() override {
    for (Block& block : blocks_) llvm::sys::Memory::releaseMappedMemory(block.memory);
  }

  // The next object refers to so many functions of others. The linker does not announce their addresses.
  void expect_addresses(std::size_t count) { address_bytes_ = count * sizeof(void*); }

  bool needsToReserveAllocationSpace() override { return true; }
  void reserveAllocationSpace(std::uintptr_t code, llvm::Align, std::uintptr_t read_only, llvm::Align,
                              std::uintptr_t writable, llvm::Align) override {
    // Alignments are at most 64 bytes, well below a page; each section may waste up to that much.
    const std::size_t page = llvm::sys::Process::getPageSizeEstimate();
    const auto pages = [page](std::size_t bytes) { return (bytes + 4096 + page - 1) / page * page; };
    const std::size_t sizes[3] = {pages(code), pages(read_only), pages(writable + address_bytes_)};
    std::error_code failure;
    Block block;
    block.memory = llvm::sys::Memory::allocateMappedMemory(
        sizes[0] + sizes[1] + sizes[2], nullptr, llvm::sys::Memory::MF_READ | llvm::sys::Memory::MF_WRITE, failure);
    reserved_ = !failure;
    if (failure) return;
    std::uint8_t* next = static_cast<std::uint8_t*>(block.memory.base());
    for (int i = 0; i < 3; ++i) {
      block.areas[i] = {next, next, next + sizes[i]};
      next += sizes[i];
    }
    blocks_.push_back(block);
  }

  // Whether there was memory for the last object.
  bool reserved() const { return reserved_; }

  std::uint8_t* allocateCodeSection(std::uintptr_t size, unsigned alignment, unsigned, llvm::StringRef) override {
    return take(blocks_.back().areas[0], size, alignment);
  }
  std::uint8_t* allocateDataSection(std::uintptr_t size, unsigned alignment, unsigned, llvm::StringRef,
                                    bool read_only) override {
    return take(blocks_.back().areas[read_only ? 1 : 2], size, alignment);
  }
  void registerEHFrames(std::uint8_t*, std::uint64_t, std::size_t) override {}
  void deregisterEHFrames() override {}

  bool finalizeMemory(std::string* message) override {
    const unsigned flags[2] = {llvm::sys::Memory::MF_READ | llvm::sys::Memory::MF_EXEC, llvm::sys::Memory::MF_READ};
    for (const Block& block : blocks_) {
      for (int i = 0; i < 2; ++i) {
        const Area& area = block.areas[i];
        const llvm::sys::MemoryBlock part(area.begin, static_cast<std::size_t>(area.end - area.begin));
        if (const std::error_code failure = llvm::sys::Memory::protectMappedMemory(part, flags[i])) {
          if (message != nullptr) *message = failure.message();
          return true;
        }
      }
    }
    return false;
  }

 private:
  struct Area {
    std::uint8_t *begin = nullptr, *next = nullptr, *end = nullptr;
  };
  static std::uint8_t* take(Area& area, std::size_t size, unsigned alignment) {
    const std::uintptr_t mask = std::max(alignment, 16U) - 1;
    std::uint8_t* at = area.next + ((-reinterpret_cast<std::uintptr_t>(area.next)) & mask);
    TARN_CHECK(at + size <= area.end, "a section of generated code is larger than announced");
    area.next = at + size;
    return at;
  }

  struct Block {
    llvm::sys::MemoryBlock memory;
    Area areas[3];
  };
  std::vector<Block> blocks_;
  std::size_t address_bytes_ = 0;
  bool reserved_ = false;
};

class NoSymbols : public llvm::JITSymbolResolver {
 public:
  void lookup(const LookupSet& symbols, OnResolvedFunction on_resolved) override {
    TARN_CHECK(symbols.empty(), fmt::format("generated code calls '{}'", symbols.begin()->str()));
    on_resolved(LookupResult());
  }
  llvm::Expected<LookupSet> getResponsibilitySet(const LookupSet&) override { return LookupSet(); }
};

class RuntimeDyldCode : public LoadedCode {
 public:
  RuntimeDyldCode() : linker_(memory_, symbols_) {}
  Status load(llvm::ArrayRef<llvm::StringRef> objects) {
    for (const llvm::StringRef object : objects) TARN_RETURN_IF_ERROR(load_one(object));
    linker_.resolveRelocations();
    if (linker_.hasError()) return failure("generated code cannot be linked: " + linker_.getErrorString().str());
    std::string message;
    if (memory_.finalizeMemory(&message)) return failure("the system gives no executable memory: " + message);
    return Done{};
  }
  Status load_one(llvm::StringRef object) {
    // The linker keeps no reference to the object file once it is loaded.
    auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "tarn"));
    if (!file) return error("generated code is no object file: " + llvm::toString(file.takeError()));
    std::size_t undefined = 0;
    for (const llvm::object::SymbolRef& symbol : (*file)->symbols()) {
      llvm::Expected<std::uint32_t> flags = symbol.getFlags();
      if (!flags) return error("generated code has a broken symbol: " + llvm::toString(flags.takeError()));
      undefined += (*flags & llvm::object::SymbolRef::SF_Undefined) != 0 ? 1 : 0;
    }
    memory_.expect_addresses(undefined);
    linker_.loadObject(**file);
    if (!memory_.reserved()) return failure("no memory for generated code");
    if (linker_.hasError()) return failure("generated code cannot be loaded: " + linker_.getErrorString().str());
    return Done{};
  }
  void* find(const std::string& symbol) const override {
    return reinterpret_cast<void*>(linker_.getSymbol(symbol).getAddress());
  }

 private:
  static Diagnostic failure(std::string message) {
    Diagnostic diagnostic = error(std::move(message));
    diagnostic.machine = true;
    return diagnostic;
  }
  OneBlockMemory memory_;
  NoSymbols symbols_;
  llvm::RuntimeDyld linker_;
};

// Passes over machine code that find nothing to do in what is emitted here, where values are made once, in the loop
// where they belong, and blocks in the order in which they run; together they take a fifth of the time of code
// generation.
void leave_out_passes(llvm::TargetPassConfig& config) {
  for (char* pass : {&llvm::EarlyTailDuplicateID, &llvm::MachineCSEID, &llvm::MachineSinkingID,
                     &llvm::EarlyMachineLICMID, &llvm::MachineLICMID, &llvm::StackSlotColoringID,
                     &llvm::MachineCopyPropagationID, &llvm::PostRAMachineSinkingID, &llvm::ShrinkWrapID,
                     &llvm::TailDuplicateID, &llvm::MachineLateInstrsCleanupID}) {
    config.disablePass(pass);
  }
}

}  // namespace

llvm::SmallVector<char, 0> emit_code(llvm::Module& module, const Machine& machine, bool assembly) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  const auto type = assembly ? llvm::CodeGenFileType::AssemblyFile : llvm::CodeGenFileType::ObjectFile;
  // What TargetMachine::addPassesToEmitFile does, with passes left out.
  auto& target = static_cast<llvm::LLVMTargetMachine&>(*machine.llvm);
  auto* const info = new llvm::MachineModuleInfoWrapperPass(&target);
  llvm::TargetPassConfig* const config = target.createPassConfig(passes);
  config->setDisableVerify(true);
  if (target.getOptLevel() == llvm::CodeGenOptLevel::Less) leave_out_passes(*config);
  passes.add(config);
  passes.add(info);
  bool refused = config->addISelPasses();
  if (!refused) {
    config->addMachinePasses();
    config->setInitialized();
    refused = target.addAsmPrinter(passes, stream, nullptr, type, info->getMMI().getContext());
  }
  TARN_CHECK(!refused, "the target cannot emit this type of file");
  passes.add(llvm::createFreeMachineFunctionPass());
  passes.run(module);
  return bytes;
}

void keep_part(llvm::Module& module, std::size_t part, std::size_t parts) {
  if (parts == 1) return;
  struct Sized {
    llvm::Function* function;
    std::size_t size;
  };
  std::vector<Sized> functions;
  for (llvm::Function& function : module) {
    if (!function.isDeclaration()) functions.push_back({&function, function.getInstructionCount()});
  }
  // The longest first, each to the part that has least.
  std::stable_sort(functions.begin(), functions.end(), [](const Sized& a, const Sized& b) { return a.size > b.size; });
  std::vector<std::size_t> sizes(parts);
  for (const Sized& sized : functions) {
    const auto least = std::min_element(sizes.begin(), sizes.end());
    *least += sized.size;
    sized.function->setLinkage(llvm::GlobalValue::ExternalLinkage);
    if (static_cast<std::size_t>(least - sizes.begin()) != part) sized.function->deleteBody();
  }
  for (llvm::Function& function : llvm::make_early_inc_range(module)) {
    if (function.isDeclaration() && function.use_empty()) function.eraseFromParent();
  }
  for (llvm::GlobalVariable& global : llvm::make_early_inc_range(module.globals())) {
    if (global.use_empty()) global.eraseFromParent();
  }
}

Result<std::unique_ptr<LoadedCode>> load_objects(llvm::ArrayRef<llvm::StringRef> objects) {
  auto code = std::make_unique<RuntimeDyldCode>();
  TARN_RETURN_IF_ERROR(code->load(objects));
  return std::unique_ptr<LoadedCode>(std::move(code));
}

}  // namespace tarn
