// Everything that decides about code, written one behind the other and hashed. Structures are taken apart by structured
// bindings, so that a field added to one of them is a compile error here until it is written as well.
#include "codegen/code_key.h"

#include <elf.h>
#include <link.h>

#include <concepts>
#include <cstring>
#include <type_traits>

#include "codegen/machine.h"
#include "codegen/workspace.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

namespace tarn {

namespace {

class KeyWriter {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void put(const std::string& text) {
    put(text.size());
    bytes_ += text;
  }
  void put(const std::vector<bool>& values) {
    put(values.size());
    for (const bool value : values) put(value);
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    put(values.size());
    for (const T& value : values) put(value);
  }
  void put(const Type& type) {
    const auto& [dtype, per_sample, shape] = type;
    put_all(dtype, per_sample, shape);
  }
  void put(const Extent& extent) {
    const auto& [constant, times_batch] = extent;
    put_all(constant, times_batch);
  }
  void put(const Linear& linear) {
    const auto& [strides, offset] = linear;
    put_all(strides, offset);
  }
  void put(const Buffer& buffer) {
    const auto& [name, space, index, offset, dtype, shape, strides] = buffer;
    put_all(space, index, offset, dtype, shape, strides);
  }
  void put(const Access& access) {
    const auto& [buffer, at, row, row_stride, row_limit] = access;
    put_all(buffer, at, row, row_stride, row_limit);
  }
  void put(const Value& value) {
    const auto& [kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction] = value;
    put_all(kind, op, dtype, operands, number, access, linear, sample, stream, distribution, reduction);
  }
  void put(const Store& store) {
    const auto& [value, access, accumulate, guarded] = store;
    put_all(value, access, accumulate, guarded);
  }
  void put(const Body& body) {
    const auto& [values, stores] = body;
    put_all(values, stores);
  }
  void put(const Reduction& reduction) {
    const auto& [op, value, dtype] = reduction;
    put_all(op, value, dtype);
  }
  void put(const std::optional<Split>& split) {
    put(split.has_value());
    if (!split) return;
    const auto& [axis, from_batch] = *split;
    put_all(axis, from_batch);
  }
  void put(const LoopKernel& kernel) {
    const auto& [axes, reduced, vector_axis, body, reductions, tail, copies_samples, split] = kernel;
    put_all(axes, reduced, vector_axis, body, reductions, tail, copies_samples, split);
  }
  void put(const ContractionKernel& kernel) {
    const auto& [batch, rows, columns, inner, dtype, a, b, form, often_few_rows, rows_in_place, b_for_writing, epilogue,
                 sums, tail, split] = kernel;
    put_all(batch, rows, columns, inner, dtype, a, b, form, often_few_rows, rows_in_place, b_for_writing, epilogue,
            sums, tail, split);
  }
  void put(const FiniteGuard& guard) {
    const auto& [buffer] = guard;
    put(buffer);
  }
  void put(const KernelBody& body) {
    put(body.index());
    std::visit([this](const auto& kind) { put(kind); }, body);
  }
  void put(const Kernel& kernel) {
    const auto& [name, body, location] = kernel;
    put(body);
  }
  void put(const KernelPlan& plan) {
    const auto& [buffers, kernels, max_batch, arena_bytes, constants, results, remarks] = plan;
    put_all(buffers, kernels, max_batch, arena_bytes, constants);
  }
  void put(const CodegenOptions& options) {
    const auto& [triple, cpu, features, fast_math, level, count_ticks, verify, wide_vectors, store] = options;
    put_all(triple, cpu, features, fast_math, level, count_ticks, wide_vectors);
  }
  // What code for any function knows of the program: where its tensors lie and what a sample is.
  void put(const Program& program) {
    for (const InputInfo& input : program.inputs) put(input.type);
    for (const OutputInfo& output : program.outputs) put(output.type);
    for (const TensorInfo& tensor : program.tensors) put_all(tensor.name, tensor.kind, tensor.type, tensor.offset);
    put(program.settings.batch);
  }
  template <typename... Values>
  void put_all(const Values&... values) {
    (put(values), ...);
  }

  const std::string& bytes() const { return bytes_; }
  std::string digest() const {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes_.data());
    return llvm::toHex(llvm::SHA256::hash(llvm::ArrayRef(begin, bytes_.size())), /*LowerCase=*/true);
  }

 private:
  std::string bytes_;
};

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

std::string kernel_key(const KernelBody& kernel, const std::vector<Buffer>& buffers, std::int64_t max_batch) {
  KeyWriter key;
  key.put_all(kernel, buffers, max_batch);
  return key.bytes();
}

std::string code_key(const Program& program, const ProgramPlan& plan, const std::vector<std::string>& functions,
                     const CodegenOptions& options) {
  static const std::string build = find_build_id();
  if (build.empty()) return {};
  KeyWriter key;
  key.put_all(build, llvm_version(), host_cpu(), host_features(), options, program, plan.accumulator_bytes);
  // The arena begins behind the rows of a batch of any plan.
  for (const auto& [name, kernels] : plan.plans) key.put(room_for_rows(program, name, kernels));
  for (const std::string& name : functions) key.put_all(name, plan.plans.at(name));
  return key.digest();
}

}  // namespace tarn
