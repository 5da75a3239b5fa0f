// The shipped examples for tests: compiled, with their data.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/dataset.h"
#include "runtime/files/array_values.h"
#include "runtime/training/training.h"
#include "tests/support/files.h"

namespace tarn {

// One of the shipped examples, compiled, with a session on it.
struct Trial {
  Sources sources;
  std::shared_ptr<Model> model;
  std::unique_ptr<Session> session;
  Vocabularies vocabularies;

  Trial(const std::string& name, std::vector<Setting> overrides = {}, std::uint64_t seed = 0,
        DType float_type = DType::f32) {
    ModelOptions options;
    options.overrides = std::move(overrides);
    options.float_type = float_type;
    Result<std::shared_ptr<Model>> compiled = Model::compile(test::example(name + ".tarn"), options, {"init"}, sources);
    if (!compiled) throw std::runtime_error(format(compiled.error(), sources));
    model = *compiled;
    session = std::make_unique<Session>(model, seed);
  }

  const Program& program() const { return model->program(); }

  Dataset data(const std::string& part = "") {
    const Purpose purpose = part.empty()           ? Purpose::train
                            : part == "validation" ? Purpose::validate
                                                   : Purpose::evaluate;
    Result<Dataset> read = read_dataset(program(), model->folder(), {purpose, {}}, vocabularies);
    if (!read) throw std::runtime_error(format(read.error(), sources));
    return std::move(*read);
  }

  std::vector<double> predict(const std::vector<double>& sample) {
    Result<Bytes> values =
        input_values(Array::from_doubles(ArrayType::f64, {static_cast<std::int64_t>(sample.size())}, sample), {0},
                     program().inputs.front(), 1, rows_of("test"));
    Rows rows;
    rows.arrays.assign(program().inputs.size(), nullptr);
    rows.arrays.front() = values->data();
    rows.count = 1;
    std::vector<Array> outputs;
    EXPECT_EQ(session->predict(rows, outputs), Outcome::done);
    return outputs.front().to_doubles();
  }

  // Whether the files that the data block names are there; some are of packages that a machine need not have.
  bool has_files() const {
    for (const auto& [part, source] : program().data) {
      for (const auto& [name, file] : source.files) {
        if (!std::filesystem::exists(std::filesystem::path(model->folder()) / file)) return false;
      }
    }
    return true;
  }

  double metric(const MetricValues& values, const std::string& name) const {
    for (std::size_t i = 0; i < program().metrics.size(); ++i) {
      if (program().metrics[i].name == name) return values.values[i].front();
    }
    ADD_FAILURE() << "no metric " << name;
    return 0;
  }
};

}  // namespace tarn
