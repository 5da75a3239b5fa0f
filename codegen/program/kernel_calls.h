// Which function each kernel of a module becomes, and the order of their calls.
//
// Kernels of one shape are one function, which is given its parameters (kernel_shape.h) in a table; where calls of the
// same functions follow each other again and again, as in a model of many equal layers, they are a loop over the rows
// of that table. So the code of a model grows with the number of different layers and not with the number of layers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/kernels/emission.h"

namespace tarn {

// The kernels of all plans of a module, to be announced before any is emitted.
class SharedKernels {
 public:
  // Shapes of the kernels of the plan of that name, by number; of guards and repeats, which are no functions, empty
  // ones. `kind` is what emission knows of them beside the plan.
  std::vector<KernelShape> announce(const std::string& name, const KernelPlan& plan, const std::string& kind);
  bool is_shared(const KernelShape& shape) const { return uses_.at(shape.key).count > 1; }
  // The function that was made for the shape, to be set by who makes it.
  llvm::Function*& function(const KernelShape& shape) { return uses_.at(shape.key).function; }

 private:
  struct Use {
    std::size_t count = 0;
    llvm::Function* function = nullptr;
  };
  std::map<std::string, Use> uses_;
};

// The calls of a plan in their order: `period` calls from `first` on, `repeats` times.
struct CallRun {
  std::size_t first = 0, period = 1, repeats = 1;
};
// `functions`: what is called; nullptr: not a call, and never part of a repetition.
std::vector<CallRun> find_runs(const std::vector<llvm::Function*>& functions);

}  // namespace tarn
