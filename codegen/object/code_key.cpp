// What decides about code beside its kernel plans, and the hash of all of it. See code_key.h.
#include "codegen/object/code_key.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "codegen/kernels/key_writer.h"
#include "codegen/program/workspace.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

namespace tarn {

namespace {

void put(KeyWriter& key, const CodegenOptions& options) {
  const auto& [triple, cpu, features, fast_math, level, count_ticks, verify, wide_vectors, store] = options;
  key.put_all(triple, cpu, features, fast_math, level, count_ticks, wide_vectors);
}

// What code for any function knows of the program: where its tensors lie and what a sample is.
void put(KeyWriter& key, const Program& program) {
  for (const InputInfo& input : program.inputs) key.put(input.type);
  for (const OutputInfo& output : program.outputs) key.put(output.type);
  for (const TensorInfo& tensor : program.tensors) key.put_all(tensor.name, tensor.kind, tensor.type, tensor.offset);
  key.put(program.settings.batch);
}

std::string digest(const std::string& bytes) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return llvm::toHex(llvm::SHA256::hash(llvm::ArrayRef(begin, bytes.size())), /*LowerCase=*/true);
}

// The note that the linker leaves in the program or library that this function is in: a hash of its contents.
std::string find_build_id() {
  std::string id;
  const auto look = [](dl_phdr_info* object, std::size_t, void* result) {
    const auto own = reinterpret_cast<ElfW(Addr)>(&find_build_id);
    bool is_ours = false;
    std::string found;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr)& part = object->dlpi_phdr[i];
      const ElfW(Addr) begin = object->dlpi_addr + part.p_vaddr;
      if (part.p_type == PT_LOAD && own >= begin && own - begin < part.p_memsz) is_ours = true;
      if (part.p_type != PT_NOTE) continue;
      for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= part.p_memsz;) {
        const auto* const bytes = reinterpret_cast<const char*>(begin) + at;
        ElfW(Nhdr) note;
        std::memcpy(&note, bytes, sizeof(note));
        const std::size_t name = (note.n_namesz + 3) / 4 * 4, description = (note.n_descsz + 3) / 4 * 4;
        if (note.n_type == NT_GNU_BUILD_ID) found.assign(bytes + sizeof(note) + name, note.n_descsz);
        at += sizeof(note) + name + description;
      }
    }
    if (is_ours) *static_cast<std::string*>(result) = found;
    return is_ours ? 1 : 0;
  };
  dl_iterate_phdr(look, &id);
  return id;
}

}  // namespace

std::string code_key(const Program& program, const ProgramPlan& plan, const std::vector<std::string>& functions,
                     const CodegenOptions& options) {
  static const std::string build = find_build_id();
  if (build.empty()) return {};
  KeyWriter key;
  key.put_all(build, llvm_version(), host_cpu(), host_features(), plan.accumulator_bytes);
  put(key, options);
  put(key, program);
  // The arena begins behind the rows of a batch of any plan.
  for (const auto& [name, kernels] : plan.plans) key.put(room_for_rows(program, name, kernels));
  for (const std::string& name : functions) key.put_all(name, plan.plans.at(name));
  return digest(key.bytes());
}

}  // namespace tarn
