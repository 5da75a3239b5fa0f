// Models of a few lines, run by the reference evaluator and as native code, for tests that compare with expected
// numbers of others.
//
// Contract: inputs are rows of doubles by name, row-major with the samples first; they become the dtypes of the
// program. Batches are the train block's. What fails (a text that does not compile, a loss that is not finite) is an
// error.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"

namespace tarn::conformance {

// Who runs a model: the oracle in double precision, or native code in either.
enum class Engine { evaluator, native_f64, native_f32 };
inline constexpr Engine kEngines[] = {Engine::evaluator, Engine::native_f64, Engine::native_f32};
std::string_view name_of(Engine engine);

struct Data {
  std::map<std::string, std::vector<double>> arrays;
  std::int64_t rows = 0;
};

class SmallModel {
 public:
  virtual ~SmallModel() = default;

  // One epoch over the rows as they stand; the mean loss.
  virtual Result<double> train(const Data& data) = 0;
  virtual Result<double> evaluate(const Data& data) = 0;
  // The pass that fits states with an `adapt` block; arrays of targets are not needed.
  virtual Status adapt(const Data& data) = 0;
  // The values of one output, row by row.
  virtual Result<std::vector<double>> predict(const Data& data, const std::string& output) = 0;

  // A metric of the last epoch, trained or evaluated, in row-major order.
  virtual std::vector<double> metric(const std::string& name) const = 0;

  // A parameter, state, slot, hyper-parameter or counter.
  virtual std::vector<double> tensor(const std::string& name) const = 0;
  virtual void set_tensor(const std::string& name, const std::vector<double>& values) = 0;
};

// The diagnostics of a text that does not compile are one error whose message has them all.
Result<std::unique_ptr<SmallModel>> compile_model(const std::string& text, Engine engine);

}  // namespace tarn::conformance
