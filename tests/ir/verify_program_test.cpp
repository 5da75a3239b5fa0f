// verify(Program): what the frontend makes passes, and each way to break it gets its message.
#include "ir/verify_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "ir/builder.h"
#include "tests/support/compiler/frontend_test_support.h"
#include "tests/support/files.h"

namespace tarn {
namespace {

using frontend_test::Compiled;
using ::testing::HasSubstr;

constexpr const char* kModel = R"(model m {
  input  x[3]
  output y = x |> dense(5, tanh) |> batch_norm |> dense(2, softmax)
}
train {
  target t[2]
  loss      categorical_crossentropy(y, t)
  metric    accuracy(y, t)
  optimizer adam(lr = 0.01)
}
)";

std::string messages(const Program& program) {
  const Status status = verify(program);
  std::string all;
  if (!status) {
    for (const Diagnostic& diagnostic : status.error()) all += diagnostic.message + "\n";
  }
  return all;
}

TEST(VerifyProgram, PassesWhatTheFrontendMakes) {
  int models = 0;
  for (const char* const folder : {"examples", "tests/data/keras"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::source_folder() / folder)) {
      if (entry.path().extension() != ".tarn") continue;
      Sources sources;
      FrontendResult result = compile_file(entry.path().string(), {}, sources);
      if (!result.program) continue;
      EXPECT_EQ(messages(*result.program), "") << entry.path();
      assign_offsets(*result.program);
      EXPECT_EQ(messages(*result.program), "") << entry.path();
      ++models;
    }
  }
  EXPECT_GT(models, 15);
}

struct BrokenCase {
  const char* message;
  std::function<void(Program&)> damage;
};

const BrokenCase kBroken[] = {
    {"the tensor 'dense_1.kernel' is there twice", [](Program& p) { p.tensors.push_back(p.tensors.front()); }},
    {"the tensor has no name", [](Program& p) { p.tensors.front().name.clear(); }},
    {"depends on the sample", [](Program& p) { p.tensors.front().type.per_sample = true; }},
    {"'step' is not one f64",
     [](Program& p) {
       for (TensorInfo& tensor : p.tensors) {
         if (tensor.name == "step") tensor.type.dtype = DType::i32;
       }
     }},
    {"which accumulates, is not of type f64", [](Program& p) { p.tensors.back().type.dtype = DType::f32; }},
    {"lie in each other", [](Program& p) { p.tensors[1].offset = p.tensors[0].offset; }},
    {"is not aligned", [](Program& p) { p.tensors[1].offset += 4; }},
    {"lies in the header", [](Program& p) { p.tensors[0].offset = 0; }},
    {"the input 'x' is there twice", [](Program& p) { p.inputs[1].name = "x"; }},
    {"the input 'x' is not of a sample", [](Program& p) { p.inputs[0].type.per_sample = false; }},
    {"has 3 elements and 2 ranges", [](Program& p) { p.inputs[0].elements.resize(2); }},
    {"the output 'y' is not of a sample", [](Program& p) { p.outputs[0].type.per_sample = false; }},
    {"the output 'y' goes with 'x', which is no target", [](Program& p) { p.outputs[0].target = "x"; }},
    {"the first metric is not the loss", [](Program& p) { p.metrics.erase(p.metrics.begin()); }},
    {"has no graph 'train'", [](Program& p) { p.graphs.erase("train"); }},
    {"a batch has no sample", [](Program& p) { p.settings.batch = 0; }},
    {"there is no kind of graph called 'fit'", [](Program& p) { p.graphs["fit"] = p.graphs["train"]; }},
    {"reads a tensor 'dense_1.kernel'", [](Program& p) { p.tensors[0].type.shape = {3, 6}; }},
    {"graph train reads an input 'x' of type each f32[3]", [](Program& p) { p.inputs[0].type.shape = {4}; }},
    {"graph report has no samples, and reads the input", [](Program& p) { p.graphs["report"] = p.graphs["predict"]; }},
    {"the loss 'loss' is there twice",
     [](Program& p) { p.graphs["train"].results().push_back(p.graphs["train"].results().front()); }},
    {"graph predict is not one for the loss", [](Program& p) { p.graphs["predict"] = p.graphs["train"]; }},
    {"graph train has no loss",
     [](Program& p) {
       std::erase_if(p.graphs["train"].results(), [](const auto& r) { return r.kind == ResultKind::loss; });
     }},
    {"graph predict does not give the output 'y'", [](Program& p) { p.graphs["predict"].results().clear(); }},
    {"graph report does not give the metric 'accuracy'", [](Program& p) { p.graphs["report"].results().pop_back(); }},
    {"the store 'w' is none of the program's", [](Program& p) { p.graphs["init"].results().front().name = "w"; }},
    {"graph init does not give 'dense_1.kernel' its first value",
     [](Program& p) {
       std::erase_if(p.graphs["init"].results(), [](const auto& r) { return r.name == "dense_1.kernel"; });
     }},
    {"nothing gives the tensors their first values", [](Program& p) { p.graphs.erase("init"); }},
};

TEST(VerifyProgram, FindsBrokenPrograms) {
  const Compiled compiled = frontend_test::compile(kModel);
  ASSERT_TRUE(compiled.result.program.has_value()) << compiled.messages();
  Program good = compiled.program();
  assign_offsets(good);
  ASSERT_EQ(messages(good), "");
  for (const BrokenCase& row : kBroken) {
    Program broken = good;
    row.damage(broken);
    EXPECT_THAT(messages(broken), HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace tarn
