// See small_model.h.
#include "tests/conformance/small_model.h"

#include <algorithm>

#include "frontend/frontend.h"
#include "ir/evaluator.h"
#include "passes/pipeline.h"
#include "runtime/session/session.h"
#include "tests/support/files.h"

namespace tarn::conformance {

namespace {

using Values = std::map<std::string, HostTensor, std::less<>>;

Diagnostic failure(const std::string& message) { return error(message); }

// Runs graphs whose meaning is lowered (batched, differentiated), and keeps the tensors that they store.
class Evaluated : public SmallModel {
 public:
  static Result<std::unique_ptr<SmallModel>> compile(const std::string& text) {
    Sources sources;
    FrontendOptions options;
    options.float_type = DType::f64;
    FrontendResult result = compile_text("case.tarn", text, options, sources);
    if (!result.program) return failure(format(result.diagnostics, sources));
    auto model = std::make_unique<Evaluated>();
    model->program_ = std::move(*result.program);
    for (auto& [name, graph] : model->program_.graphs) {
      if (name == "report" || name == "init") continue;
      PassContext context;
      TARN_TRY(graph, lower_meaning(graph, context));
    }
    TARN_TRY(model->tensors_, run(model->program_.graphs.at("init"), {}));
    return std::unique_ptr<SmallModel>(std::move(model));
  }

  Result<double> train(const Data& data) override { return epoch("train", data); }
  Result<double> evaluate(const Data& data) override { return epoch("evaluate", data); }
  Status adapt(const Data& data) override { return run_batches("adapt", data); }

  Result<std::vector<double>> predict(const Data& data, const std::string& output) override {
    TARN_TRY(const Values results, run(program_.graphs.at("predict"), context_for(data, 0, data.rows)));
    return results.at(output).data;
  }

  std::vector<double> metric(const std::string& name) const override { return report_.at(name).data; }

  std::vector<double> tensor(const std::string& name) const override { return tensors_.at(name).data; }
  void set_tensor(const std::string& name, const std::vector<double>& values) override {
    TARN_CHECK(tensors_.at(name).data.size() == values.size(), "wrong size for '" + name + "'");
    tensors_.at(name).data = values;
  }

 private:
  static Result<Values> run(const Graph& graph, const EvaluationContext& context) {
    TARN_TRY(std::vector<HostTensor> results, tarn::evaluate(graph, context));
    Values values;
    for (std::size_t i = 0; i < results.size(); ++i) values[graph.results()[i].name] = std::move(results[i]);
    return values;
  }

  EvaluationContext context_for(const Data& data, std::int64_t begin, std::int64_t end) const {
    EvaluationContext context;
    context.tensors = tensors_;
    context.batch = end - begin;
    for (const auto& [name, values] : data.arrays) {
      Shape shape = program_.find_input(name)->type.shape;
      const std::int64_t size = element_count(shape);
      shape.insert(shape.begin(), context.batch);
      context.inputs[name] = {shape, {values.begin() + begin * size, values.begin() + end * size}};
    }
    return context;
  }

  Result<double> epoch(const std::string& name, const Data& data) {
    for (const TensorInfo& t : program_.tensors) {
      if (t.kind != TensorKind::metric) continue;
      const auto size = static_cast<std::size_t>(element_count(t.type.shape));
      tensors_[t.name] = {t.type.shape, std::vector<double>(size, t.initial)};
    }
    TARN_RETURN_IF_ERROR(run_batches(name, data));
    EvaluationContext context;
    context.tensors = tensors_;
    TARN_TRY(report_, run(program_.graphs.at("report"), context));
    return report_.at("loss").data[0];
  }

  // Runs a graph on batch after batch, and keeps what it stores.
  Status run_batches(const std::string& name, const Data& data) {
    const Graph& graph = program_.graphs.at(name);
    for (std::int64_t begin = 0; begin < data.rows; begin += program_.settings.batch) {
      const std::int64_t end = std::min(data.rows, begin + program_.settings.batch);
      EvaluationContext context = context_for(data, begin, end);
      if (name == "train") context.step = step_++;
      TARN_TRY(Values results, run(graph, context));
      for (const GraphResult& result : graph.results()) {
        if (result.kind == ResultKind::store) tensors_[result.name] = results.at(result.name);
      }
    }
    return Done{};
  }

  Program program_;
  Values tensors_, report_;
  std::uint64_t step_ = 0;  // draws go by it
};

class Native : public SmallModel {
 public:
  explicit Native(std::shared_ptr<Model> model) : session_(std::move(model), 0) {}

  static Result<std::unique_ptr<SmallModel>> compile(const std::string& text, DType float_type) {
    const test::TemporaryFolder folder;
    const std::string path = folder.file("case.tarn");
    test::write_text(path, text);
    Sources sources;
    ModelOptions options;
    options.float_type = float_type;
    Result<std::shared_ptr<Model>> model = Model::compile(path, options, {}, sources);
    if (!model) return failure(format(model.error(), sources));
    return std::unique_ptr<SmallModel>(std::make_unique<Native>(*model));
  }

  Result<double> train(const Data& data) override { return loss(session_.train(rows_of(data), nullptr, metrics_)); }

  Result<double> evaluate(const Data& data) override { return loss(session_.evaluate(rows_of(data), metrics_)); }

  Status adapt(const Data& data) override {
    return session_.adapt(rows_of(data)) == Outcome::done ? Status(Done{}) : Status(failure("the pass came to no end"));
  }

  Result<std::vector<double>> predict(const Data& data, const std::string& output) override {
    std::vector<tarn::Array> outputs;
    if (session_.predict(rows_of(data), outputs) != Outcome::done) return failure("prediction came to no end");
    const auto& known = session_.program().outputs;
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (known[i].name == output) return outputs[i].to_doubles();
    }
    return failure("no output '" + output + "'");
  }

  std::vector<double> metric(const std::string& name) const override {
    const auto& known = session_.program().metrics;
    const auto found = std::find_if(known.begin(), known.end(), [&](const MetricInfo& m) { return m.name == name; });
    TARN_CHECK(found != known.end(), "no metric '" + name + "'");
    return metrics_.values[static_cast<std::size_t>(found - known.begin())];
  }

  std::vector<double> tensor(const std::string& name) const override { return session_.tensor(name).to_doubles(); }
  void set_tensor(const std::string& name, const std::vector<double>& values) override {
    session_.set_tensor(name, tarn::Array::from_doubles(ArrayType::f64, session_.tensor(name).shape, values));
  }

 private:
  Result<double> loss(Outcome outcome) const {
    if (outcome != Outcome::done) return failure("the loss is not finite");
    return metrics_.loss();
  }

  // Arrays in the order and the types of the program; they stay valid until the next call.
  Rows rows_of(const Data& data) {
    arrays_.clear();
    Rows rows;
    rows.count = static_cast<std::uint64_t>(data.rows);
    for (const InputInfo& input : session_.program().inputs) {
      const auto it = data.arrays.find(input.name);
      TARN_CHECK(it != data.arrays.end() || input.role != InputRole::input, "no values for '" + input.name + "'");
      Shape shape = input.type.shape;
      shape.insert(shape.begin(), data.rows);
      const ArrayType type = input.type.dtype == DType::f32   ? ArrayType::f32
                             : input.type.dtype == DType::f64 ? ArrayType::f64
                             : input.type.dtype == DType::i32 ? ArrayType::i32
                                                              : ArrayType::boolean;
      const std::vector<double> zeros(static_cast<std::size_t>(element_count(shape)));
      arrays_.push_back(tarn::Array::from_doubles(type, shape, it == data.arrays.end() ? zeros : it->second));
    }
    for (const tarn::Array& array : arrays_) rows.arrays.push_back(array.data.data());
    return rows;
  }

  Session session_;
  MetricValues metrics_;
  std::vector<tarn::Array> arrays_;
};

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::evaluator:
      return "evaluator";
    case Engine::native_f64:
      return "native f64";
    case Engine::native_f32:
      return "native f32";
  }
  return "";
}

Result<std::unique_ptr<SmallModel>> compile_model(const std::string& text, Engine engine) {
  if (engine == Engine::evaluator) return Evaluated::compile(text);
  return Native::compile(text, engine == Engine::native_f64 ? DType::f64 : DType::f32);
}

}  // namespace tarn::conformance
