// Which weights are packed and how, and products over groups of columns. See packed_weights.h.
#include "passes/planner/packed_weights.h"

#include <algorithm>
#include <map>
#include <utility>

#include "passes/plan/access.h"
#include "passes/tactics/choose.h"

namespace tarn {
namespace {

// Columns of a group: a divisor of all columns that leaves the fewest lanes of whole cache lines idle; 0: there is
// none.
std::int64_t group_width(std::int64_t columns, std::int64_t size) {
  const std::int64_t line = Target{}.line_bytes;
  const auto lines = [&](std::int64_t width) { return (width * size + line - 1) / line; };
  std::int64_t best = 0;
  for (std::int64_t width = kCosts.widest_group / size; width * size >= kCosts.narrowest_group; --width) {
    // width / lines(width) is larger than for the best one.
    if (columns % width == 0 && (best == 0 || width * lines(best) > best * lines(width))) best = width;
  }
  return best;
}

bool is_large(const Buffer& matrix) {
  return element_count(matrix.shape) * static_cast<std::int64_t>(size_of(matrix.dtype)) >= kCosts.packed_matrix;
}

// The products that read a buffer as their right operand, as long as nothing else reads it.
struct Readers {
  std::vector<ContractionKernel*> products;
  bool others = false;
  bool along_columns = true;  // all products
};

class WeightPacker {
 public:
  WeightPacker(const Program& program, KernelPlan& plan) : program_(program), plan_(plan) {}

  PackedWeights run() {
    TARN_CHECK(stores_nothing(plan_), "packed weights that change");
    find_readers();
    for (BufferId id = 0; id < plan_.buffers.size(); ++id) {
      if (plan_.buffers[id].space == Space::state) by_offset_.emplace(plan_.buffers[id].offset, id);
    }
    // The header, with the seed of random numbers.
    packed_.tensors.push_back({0, 0, 1, kStateHeaderBytes, kStateHeaderBytes});
    packed_.bytes = kStateHeaderBytes;
    for (const TensorInfo& tensor : program_.tensors) {
      if (tensor.kind != TensorKind::metric) add(tensor);
    }
    return std::move(packed_);
  }

 private:
  void find_readers() {
    readers_.resize(plan_.buffers.size());
    const auto note = [&](BufferId buffer) { readers_[buffer].others = true; };
    for_each_kernel(plan_.kernels, [&](Kernel& kernel) {
      by_kind(
          kernel.body, [&](LoopKernel&) { for_each_buffer(kernel.body, note); },
          [&](ContractionKernel& product) {
            for_each_buffer(product.a.body, note);
            if (product.is_of_matrices()) {
              Readers& readers = readers_[product.b.access().buffer];
              readers.products.push_back(&product);
              readers.along_columns = readers.along_columns && kernel.tactics.form == CpuTactics::Form::columns;
            } else {
              for_each_buffer(product.b.body, note);
            }
            for_each_buffer(product.epilogue, note);
          },
          [&](FiniteGuard& guard) { note(guard.buffer); }, [](Repeat&) {});
    });
  }

  void add(const TensorInfo& tensor) {
    const std::uint64_t bytes = sample_bytes(tensor.type);
    const auto first = by_offset_.lower_bound(tensor.offset), end = by_offset_.lower_bound(tensor.offset + bytes);
    if (first == end) return;
    // With what fills up the last word of it.
    const std::uint64_t whole = (bytes + 7) / 8 * 8;
    PackedWeights::Tensor entry{tensor.offset, packed_.bytes, 1, whole, whole};
    const BufferId id = first->second;
    if (std::next(first) == end && first->first == tensor.offset && can_be_packed(id)) {
      Buffer& matrix = plan_.buffers[id];
      const auto size = static_cast<std::int64_t>(size_of(matrix.dtype));
      const std::vector<ContractionKernel*>& products = readers_[id].products;
      const std::int64_t columns = products.front()->columns[0].constant;
      const std::int64_t width = group_width(columns, size);
      entry.rows = static_cast<std::uint64_t>(products.front()->inner[0].constant);
      entry.row_bytes = static_cast<std::uint64_t>(columns * size);
      entry.group_bytes = static_cast<std::uint64_t>(width * size);
      regroup(matrix, products, width);
    }
    for (auto at = first; at != end; ++at) {
      plan_.buffers[at->second].offset = at->first - tensor.offset + packed_.bytes;
    }
    packed_.tensors.push_back(entry);
    packed_.bytes += aligned(bytes);
  }

  // Whole rows of one matrix, in order, are what all of its readers multiply with.
  bool can_be_packed(BufferId id) const {
    const Readers& readers = readers_[id];
    if (readers.others || readers.products.empty() || !readers.along_columns) return false;
    const Buffer& buffer = plan_.buffers[id];
    const auto size = static_cast<std::int64_t>(size_of(buffer.dtype));
    const ContractionKernel& first = *readers.products.front();
    const std::int64_t columns = first.columns[0].constant, elements = first.inner[0].constant * columns;
    return elements == element_count(buffer.shape) && is_large(buffer) && columns * size > kCosts.widest_group &&
           group_width(columns, size) > 0 &&
           std::all_of(readers.products.begin(), readers.products.end(), [&](const ContractionKernel* product) {
             return product->batch.empty() && !product->columns[0].times_batch && !product->inner[0].times_batch &&
                    product->columns == first.columns && product->inner == first.inner &&
                    product->b.access().at == Linear{{columns, 1}, 0};
           });
  }

  // Each product becomes one over groups (a batch axis), rows, and columns of a group.
  static void regroup(Buffer& buffer, const std::vector<ContractionKernel*>& products, std::int64_t width) {
    const Extent inner = products.front()->inner[0];
    const std::int64_t groups = products.front()->columns[0].constant / width;
    buffer.shape = {groups, inner.constant, width};
    buffer.strides = {inner.constant * width, width, 1};
    for (ContractionKernel* product : products) {
      product->batch = {{groups, false}};
      product->columns[0].constant = width;
      std::vector<std::int64_t>& of_a = product->a.access().at.strides;
      of_a.insert(of_a.begin(), 0);
      product->b.access().at.strides = buffer.strides;
      for_each_linear(product->epilogue, [&](Linear& linear) {
        linear.strides.insert(linear.strides.begin(), linear.strides[1] * width);
      });
    }
  }

  const Program& program_;
  KernelPlan& plan_;
  std::vector<Readers> readers_;                      // by buffer
  std::multimap<std::uint64_t, BufferId> by_offset_;  // those in the state, by where they lie there
  PackedWeights packed_;
};

}  // namespace

bool may_be_packed(const KernelPlan& plan) {
  bool found = false;
  for_each_product(plan.kernels, [&](const ContractionKernel& product, const CpuTactics&) {
    if (!product.b.is_load()) return;
    const Buffer& matrix = plan.buffers[product.b.access().buffer];
    found = found || (matrix.space == Space::state && is_large(matrix));
  });
  return found;
}

PackedWeights pack_weights(const Program& program, KernelPlan& plan, const Target& target) {
  PackedWeights packed = WeightPacker(program, plan).run();
  choose_cpu_tactics(plan, target);
  return packed;
}

}  // namespace tarn
