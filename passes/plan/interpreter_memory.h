// The memory that the interpreter of plans works on: every space of a plan byte by byte, with the tensors and inputs of
// a program in it.
//
// Invariant: an element is read only as it was written, whole and with its own width; what was never written, what was
// overwritten in part, and what lies outside of its space gives nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/evaluator.h"
#include "passes/plan/kernel_plan.h"

namespace tarn {

class PlanMemory {
 public:
  PlanMemory(const KernelPlan& plan, const Program& program, const EvaluationContext& context)
      : plan_(plan), program_(program), context_(context) {}

  // Takes the tensors and inputs of the context; makes room for outputs and the arena. Errors: one that has another
  // number of elements.
  Status fill();

  struct Element {
    double value = 0;
    std::uint32_t time = 0;  // when it was stored; before the plan ran, and of constants: 0
  };
  std::optional<Element> load(BufferId id, std::int64_t element);
  // Whether it could be stored.
  bool store(BufferId id, std::int64_t element, double value, std::uint32_t time);
  // Every tensor of the program that can be read, by name.
  std::map<std::string, HostTensor> tensors();

 private:
  // A space of memory. Byte i belongs to the element that begins at owner[i] and is width[i] bytes wide (0: not
  // written), and was written at time[i].
  struct Bytes {
    struct Cell {
      double value = 0;
      std::uint64_t owner = 0;
      std::uint8_t width = 0;
      std::uint32_t time = 0;
    };
    std::vector<Cell> cells;

    std::optional<Element> read(std::int64_t at, std::size_t width) const;
    bool write(std::int64_t at, std::size_t width, double value, std::uint32_t time = 0);
  };
  // Those of a buffer.
  Bytes& bytes_of(const Buffer& buffer) {
    const bool by_number = buffer.space == Space::input || buffer.space == Space::output;
    return spaces_[{buffer.space, by_number ? buffer.index : 0}];
  }
  Status fill_tensors();
  Status fill_inputs();
  void make_outputs();

  const KernelPlan& plan_;
  const Program& program_;
  const EvaluationContext& context_;
  std::map<std::pair<Space, std::uint32_t>, Bytes> spaces_;
};

}  // namespace tarn
