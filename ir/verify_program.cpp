// See verify_program.h.
#include "ir/verify_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tarn {
namespace {

// What the graphs of a program may deliver.
struct GraphRow {
  std::string_view name;
  bool outputs, loss, stores, values;
  bool samples;  // it reads inputs
};
constexpr GraphRow kGraphs[] = {
    // name      outputs loss   stores values samples
    {"init", false, false, true, false, false},   {"adapt", false, false, true, false, true},
    {"train", false, true, true, false, true},    {"evaluate", false, true, true, false, true},
    {"predict", true, false, false, false, true}, {"report", false, false, false, true, false},
};

// Whether a value of the type, in a graph before or after batching, is what is declared for one sample.
bool is_of_sample(const Type& type, const Type& declared) {
  if (type.per_sample) return type == declared;
  Shape shape = declared.shape;
  shape.insert(shape.begin(), kBatch);
  return declared.per_sample && type.dtype == declared.dtype && type.shape == shape;
}

class ProgramVerifier {
 public:
  explicit ProgramVerifier(const Program& program) : program_(program) {}

  Status run() {
    check_tensors();
    check_inputs();
    check_outputs();
    check_metrics();
    for (const auto& [name, graph] : program_.graphs) check_graph(name, graph);
    check_first_values();
    if (errors_.empty()) return Done{};
    return std::move(errors_);
  }

 private:
  void require(bool condition, std::string what) {
    constexpr std::size_t kMostErrors = 20;
    if (!condition && errors_.size() < kMostErrors) errors_.push_back(error(std::move(what)));
  }

  template <class Row>
  void require_unique_names(const std::vector<Row>& rows, std::string_view kind) {
    std::set<std::string_view> names;
    for (const Row& row : rows) {
      require(!row.name.empty(), fmt::format("{} has no name", kind));
      require(names.insert(row.name).second, fmt::format("{} '{}' is there twice", kind, row.name));
    }
  }

  void check_tensors() {
    require_unique_names(program_.tensors, "the tensor");
    for (const TensorInfo& tensor : program_.tensors) {
      const Type& type = tensor.type;
      require(!depends_on_sample(type), fmt::format("the tensor '{}' depends on the sample", tensor.name));
      const bool is_number = tensor.kind == TensorKind::hyper || tensor.kind == TensorKind::counter;
      require(!is_number || type == Type{DType::f64, false, {}}, fmt::format("'{}' is not one f64", tensor.name));
      require(tensor.kind != TensorKind::metric || type.dtype == DType::f64,
              fmt::format("'{}', which accumulates, is not of type f64", tensor.name));
    }
    check_offsets();
  }

  // Once they are assigned, tensors of a block are apart.
  void check_offsets() {
    for (const bool metrics : {false, true}) {
      std::vector<const TensorInfo*> block;
      for (const TensorInfo& tensor : program_.tensors) {
        if ((tensor.kind == TensorKind::metric) == metrics) block.push_back(&tensor);
      }
      const auto by_offset = [](const TensorInfo* a, const TensorInfo* b) { return a->offset < b->offset; };
      std::stable_sort(block.begin(), block.end(), by_offset);
      if (block.empty() || block.back()->offset == 0) continue;  // none is assigned, or there is one
      for (std::size_t i = 0; i < block.size(); ++i) {
        const TensorInfo& tensor = *block[i];
        require(tensor.offset % kAlignment == 0, fmt::format("'{}' is not aligned", tensor.name));
        require(metrics || tensor.offset >= kStateHeaderBytes, fmt::format("'{}' lies in the header", tensor.name));
        if (i + 1 == block.size()) continue;
        require(tensor.offset + sample_bytes(tensor.type) <= block[i + 1]->offset,
                fmt::format("'{}' and '{}' lie in each other", tensor.name, block[i + 1]->name));
      }
    }
  }

  void check_inputs() {
    require_unique_names(program_.inputs, "the input");
    for (const InputInfo& input : program_.inputs) {
      require(input.type.per_sample, fmt::format("the input '{}' is not of a sample", input.name));
      const auto count = static_cast<std::size_t>(element_count(input.type.shape));
      require(input.elements.empty() || input.elements.size() == count,
              fmt::format("the input '{}' has {} elements and {} ranges", input.name, count, input.elements.size()));
    }
  }

  void check_outputs() {
    require_unique_names(program_.outputs, "the output");
    for (const OutputInfo& output : program_.outputs) {
      require(output.type.per_sample, fmt::format("the output '{}' is not of a sample", output.name));
      const InputInfo* const target = program_.find_input(output.target);
      require(output.target.empty() || (target != nullptr && target->role == InputRole::target),
              fmt::format("the output '{}' goes with '{}', which is no target", output.name, output.target));
    }
  }

  void check_metrics() {
    require_unique_names(program_.metrics, "the metric");
    require(program_.metrics.empty() || program_.metrics.front().name == "loss", "the first metric is not the loss");
    require(!program_.trainable || program_.graphs.contains("train"), "a program that trains has no graph 'train'");
    require(program_.settings.batch >= 1, "a batch has no sample");
  }

  void check_graph(const std::string& name, const Graph& graph) {
    const auto* const row =
        std::find_if(std::begin(kGraphs), std::end(kGraphs), [&](const GraphRow& known) { return known.name == name; });
    require(row != std::end(kGraphs), fmt::format("there is no kind of graph called '{}'", name));
    if (row == std::end(kGraphs)) return;
    if (const Status status = verify(graph); !status) {
      for (const Diagnostic& problem : status.error())
        require(false, fmt::format("graph {}: {}", name, problem.message));
      return;
    }
    for (NodeId id = 0; id < graph.size(); ++id) check_source(*row, graph[id]);
    std::set<std::pair<ResultKind, std::string_view>> results;
    for (const GraphResult& result : graph.results()) {
      require(results.emplace(result.kind, result.name).second,
              fmt::format("graph {}: the {} '{}' is there twice", name, name_of(result.kind), result.name));
      check_result(*row, result, graph[result.node].type);
    }
    require(!row->loss || graph.result(ResultKind::loss, "loss") != kNoNode, fmt::format("graph {} has no loss", name));
    for (const OutputInfo& output : program_.outputs) {
      require(!row->outputs || results.contains({ResultKind::output, output.name}),
              fmt::format("graph {} does not give the output '{}'", name, output.name));
    }
    for (const MetricInfo& metric : program_.metrics) {
      require(!row->values || results.contains({ResultKind::value, metric.name}),
              fmt::format("graph {} does not give the metric '{}'", name, metric.name));
    }
  }

  // Tensors and inputs that a graph reads are those of the tables.
  void check_source(const GraphRow& row, const Node& node) {
    if (node.op == Op::tensor) {
      const std::string& name = node.attributes.text(Key::name);
      const TensorInfo* const tensor = program_.find_tensor(name);
      require(tensor != nullptr && tensor->type == node.type,
              fmt::format("graph {} reads a tensor '{}' of type {}, which is not in the table", row.name, name,
                          to_string(node.type)));
    } else if (node.op == Op::input) {
      const std::string& name = node.attributes.text(Key::name);
      const InputInfo* const input = program_.find_input(name);
      require(row.samples, fmt::format("graph {} has no samples, and reads the input '{}'", row.name, name));
      require(input != nullptr && is_of_sample(node.type, input->type),
              fmt::format("graph {} reads an input '{}' of type {}, which is not in the table", row.name, name,
                          to_string(node.type)));
    }
  }

  void check_result(const GraphRow& row, const GraphResult& result, const Type& type) {
    const auto fits = [&](bool allowed, bool exists) {
      require(allowed, fmt::format("graph {} is not one for the {} '{}'", row.name, name_of(result.kind), result.name));
      require(!allowed || exists, fmt::format("graph {}: the {} '{}' is none of the program's, or has another type",
                                              row.name, name_of(result.kind), result.name));
    };
    const auto named = [&](const auto& rows) {
      return std::find_if(rows.begin(), rows.end(), [&](const auto& known) { return known.name == result.name; });
    };
    switch (result.kind) {
      case ResultKind::output: {
        const auto output = named(program_.outputs);
        return fits(row.outputs, output != program_.outputs.end() && is_of_sample(type, output->type));
      }
      case ResultKind::loss:
        return fits(row.loss, result.name == "loss" && type.shape.empty() && !type.per_sample);
      case ResultKind::store: {
        const TensorInfo* const tensor = program_.find_tensor(result.name);
        return fits(row.stores, tensor != nullptr && tensor->type.shape == type.shape && !depends_on_sample(type));
      }
      case ResultKind::value: {
        const auto metric = named(program_.metrics);
        return fits(row.values, metric != program_.metrics.end() && metric->shape == type.shape);
      }
    }
  }

  // What the state begins with.
  void check_first_values() {
    const auto init = program_.graphs.find("init");
    if (init == program_.graphs.end()) {
      require(program_.graphs.empty() || program_.tensors.empty(), "nothing gives the tensors their first values");
      return;
    }
    for (const TensorInfo& tensor : program_.tensors) {
      const bool stored = init->second.result(ResultKind::store, tensor.name) != kNoNode;
      const bool is_metric = tensor.kind == TensorKind::metric;
      require(stored || is_metric, fmt::format("graph init does not give '{}' its first value", tensor.name));
      require(!stored || !is_metric, fmt::format("graph init stores '{}', which is not in the state", tensor.name));
    }
  }

  const Program& program_;
  Diagnostics errors_;
};

}  // namespace

Status verify(const Program& program) { return ProgramVerifier(program).run(); }

}  // namespace tarn
