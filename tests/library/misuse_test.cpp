// Wrong use of both APIs is an error that says what is wrong, and leaves the session as it was.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

#include "models.h"

namespace library_test {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

struct Misuse {
  const char* what;
  std::function<void(tarn::Session&)> call;
  const char* message;
};

TEST(Misuse, InCppIsAnArgumentError) {
  const std::vector<float> x(8, 0.5F), t(4, 0.5F), odd(7, 0.5F);
  const std::vector<double> doubles(8, 0.5);
  const std::vector<char> raw(40);
  const auto* const misaligned = reinterpret_cast<const float*>(raw.data() + 1);
  std::vector<float> y(4), both(12);
  std::vector<double> wide(4);
  const float* const none = nullptr;
  const auto predict = [](const tarn::View& view) {
    return [view](tarn::Session& session) { session.predict({{"x", view}}); };
  };
  const Misuse cases[] = {
      {"no input", [](auto& s) { s.predict({}); }, "no array for 'x'"},
      {"an unknown input", [&](auto& s) { s.predict({{"z", x}}); }, "has no input 'z'"},
      {"an input twice", [&](auto& s) { s.predict({{"x", x}, {"x", x}}); }, "two arrays for 'x'"},
      {"a target for a prediction", [&](auto& s) { s.predict({{"x", x}, {"t", t}}); }, "'t' is for training"},
      {"a wrong type", predict(doubles), "'x' is f32, and the array f64"},
      {"a flat array with a rest", predict(odd), "one sample of 'x' has the shape [2]"},
      {"a wrong shape", predict({x.data(), {2, 4}}), "this one has the shape [2, 4]"},
      {"too few axes", predict(tarn::View(x.data(), {})), "this one has the shape []"},
      {"too many axes", predict({x.data(), {1, 1, 1, 1, 1, 1, 1, 4, 2}}), "one sample of 'x'"},
      {"a negative extent", predict({x.data(), {-4, 2}}), "negative extent"},
      {"more than memory can have", predict({x.data(), {kHuge, 2}}), "impossible shape"},
      {"an overflow before a zero", predict({x.data(), {kHuge, kHuge, 0}}), "impossible shape"},
      {"null data", predict({none, {4, 2}}), "are null"},
      {"misaligned data", predict({misaligned, {4, 2}}), "not aligned to 4 bytes"},
      {"a stride between elements", predict({x.data(), {2, 2}, {9, 4}}), "stride 0 of 'x'"},
      {"no target", [&](auto& s) { s.fit({{"x", x}}); }, "no array for 't'"},
      {"nothing", [&](auto& s) { s.fit(tarn::Arguments()); }, "no array for 'x'"},
      {"rows that do not match", [&](auto& s) { s.fit({{"x", x}, {"t", y}, {"u", y}}); }, "has no input 'u'"},
      {"more targets than inputs", [&](auto& s) { s.fit({{"x", {x.data(), {3, 2}}}, {"t", t}}); },
       "'x' has 3 samples, and 't' 4"},
      {"no samples", [&](auto& s) { s.fit({{"x", {x.data(), {0, 2}}}, {"t", {t.data(), {0, 1}}}}); }, "no samples"},
      {"no samples to evaluate", [&](auto& s) { s.evaluate({{"x", {x.data(), {0, 2}}}, {"t", {t.data(), {0, 1}}}}); },
       "no samples"},
      {"negative epochs", [&](auto& s) { s.fit({{"x", x}, {"t", t}}, {.epochs = -1}); }, "negative"},
      {"both counts of epochs", [&](auto& s) { s.fit({{"x", x}, {"t", t}}, {.epochs = 1, .until_epoch = 2}); },
       "exclude each other"},
      {"validation without targets", [&](auto& s) { s.fit({{"x", x}, {"t", t}}, {.validation = {{"x", x}}}); },
       "no array for 't'"},
      {"a batch that is too large",
       [&](auto& s) { s.train_on_batch({{"x", std::vector<float>(10)}, {"t", std::vector<float>(5)}}); },
       "1 to 4 samples; this one has 5"},
      {"memory that is too small", [&](auto& s) { s.predict({{"x", x}}, {{"y", std::span(y).first(3)}}); },
       "has 12 bytes; it needs 16"},
      {"memory of another type", [&](auto& s) { s.predict({{"x", x}}, {{"y", wide}}); }, "its memory f64"},
      {"an output over an input", [&](auto& s) { s.predict({{"x", both}}, {{"y", std::span(both).subspan(6)}}); },
       "output 'y' overlaps that of 'x'"},
      {"a tensor with a negative extent", [](auto&) { tarn::Tensor(tarn::DType::f32, {2, -1}); }, "the extent -1"},
      {"a tensor larger than memory", [](auto&) { tarn::Tensor(tarn::DType::f64, {std::int64_t{1} << 58, 8}); },
       "the extent 8"},
      {"a model that was moved from",
       [](auto& s) {
         tarn::Model model = s.model();
         const tarn::Model taken = std::move(model);
         EXPECT_EQ(model.name(), "");
         model.settings();
       },
       "the model is null"},
      {"a tensor that was moved from",
       [](auto& s) {
         tarn::Tensor tensor = s.weight("dense_1.kernel");
         const tarn::Tensor taken = std::move(tensor);
         tensor[0];
       },
       "no element 0"},
      {"a predictor that was moved from",
       [&](auto& s) {
         tarn::Predictor predictor = s.predictor();
         const tarn::Predictor taken = std::move(predictor);
         predictor(x.data(), y.data(), 1);
       },
       "the predictor is null"},
      {"an unknown output", [&](auto& s) { s.predict({{"x", x}}, {{"z", y}}); }, "no output 'z'"},
      {"an output twice", [&](auto& s) { s.predict({{"x", x}}, {{"y", y}, {"y", y}}); }, "named twice"},
      {"no output", [&](auto& s) { s.predict({{"x", x}}, {}); }, "no memory for any output"},
      {"an output that is not there", [&](auto& s) { s.predict({{"x", x}})["z"]; }, "no output 'z'"},
      {"elements of another type",
       [&](auto& s) {
         const tarn::Tensor tensor = s.predict({{"x", x}})["y"];
         tensor.values<double>();
       },
       "type"},
      {"an element that is not there", [&](auto& s) { s.predict({{"x", x}})["y"][4]; }, "no element 4"},
      {"an unknown weight", [](auto& s) { s.weight("dense_2.kernel") = 1; }, "no tensor 'dense_2.kernel'"},
      {"an unknown weight to read", [](auto& s) { std::as_const(s).weight("z"); }, "no tensor 'z'"},
      {"a weight of another shape", [](auto& s) { s.weight("dense_1.kernel") = {{1, 2}, {3, 4}}; },
       "'dense_1.kernel' has the shape [2, 1], and the array [2, 2]"},
      {"ragged braces", [](auto& s) { s.weight("dense_1.kernel") = {{1}, {2, 3}}; }, "do not make a tensor"},
      {"a number among braces", [](auto& s) { s.weight("dense_1.kernel") = {{1}, 2}; }, "do not make a tensor"},
      {"a counter below zero", [](auto& s) { s.weight("epoch") = -1; }, "counts from 0"},
      {"a counter that is no number", [](auto& s) { s.weight("step") = std::nan(""); }, "counts from 0"},
      {"a predictor of other types", [&](auto& s) { s.predictor()(doubles.data(), y.data(), 1); }, "other types"},
      {"a predictor without an array", [&](auto& s) { s.predictor()(none, y.data(), 1); }, "null, or not aligned"},
      {"a predictor with misaligned arrays", [&](auto& s) { s.predictor()(misaligned, y.data(), 1); }, "not aligned"},
      {"classes of an unknown input", [](auto& s) { s.classes("z"); }, "no input 'z'"},
      {"negative threads", [](auto& s) { tarn::Session(s.model(), {.threads = -1}); }, "threads is negative"},
      {"a session that was moved from",
       [](auto& s) {
         tarn::Session other(s.model());
         const tarn::Session taken(std::move(other));
         other.initialize(1);
       },
       "the session is null"},
      {"an integer type as float type",
       [](auto&) {
         tarn::CompileOptions options;
         options.float_type = tarn::DType::i32;
         tarn::compile(kLinear, options);
       },
       "TARN_F32 or TARN_F64"},
  };
  tarn::Session session(tarn::compile(kLinear), {.seed = 5});
  const auto before = floats(session.weight("dense_1.kernel"));
  for (const Misuse& item : cases) {
    SCOPED_TRACE(item.what);
    try {
      item.call(session);
      ADD_FAILURE() << "no error";
    } catch (const tarn::ArgumentError& error) {
      EXPECT_THAT(error.what(), HasSubstr(item.message));
      EXPECT_EQ(error.diagnostics().size(), 1U);
    } catch (const tarn::Error& error) {
      ADD_FAILURE() << "another error: " << error.what();
    }
  }
  EXPECT_EQ(floats(session.weight("dense_1.kernel")), before);
  EXPECT_EQ(session.fit({{"x", x}, {"t", t}}).epochs.size(), 3U);
}

TEST(Misuse, WrongFilesAreDataErrorsAndChangeNothing) {
  const TemporaryFolder folder;
  tarn::Session session(tarn::compile(kLinear), {.seed = 5}), other(tarn::compile(kDeep));
  other.save(folder.file("other.safetensors"));
  other.checkpoint(folder.file("other.checkpoint"));
  session.save(folder.file("weights.safetensors"));
  std::ofstream(folder.file("garbage")) << "no weights at all";
  // A counter with a shape, which weight files need not have.
  const std::string header = R"({"dense_1.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("dense_1.kernel":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},)"
                             R"("step":{"dtype":"F64","shape":[2],"data_offsets":[12,28]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  std::ofstream(folder.file("counter"), std::ios::binary) << bytes << header << std::string(28, '\0');
  const auto before = session.weights();
  const struct {
    const char *file, *message;
    bool resume;
  } cases[] = {
      {"missing", "No such file", false},
      {"garbage", "garbage", false},
      {"other.safetensors", "does not hold the weights of model 'linear'", false},
      {"counter", "'step': expected [], found [2]", false},
      {"missing", "No such file", true},
      {"garbage", "garbage", true},
      {"weights.safetensors", "is not a checkpoint", true},
      {"other.checkpoint", "is a checkpoint of another model", true},
  };
  for (const auto& item : cases) {
    SCOPED_TRACE(std::string(item.file) + (item.resume ? " as a checkpoint" : " as weights"));
    try {
      item.resume ? session.resume(folder.file(item.file)) : session.load(folder.file(item.file));
      ADD_FAILURE() << "no error";
    } catch (const tarn::DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(item.message));
    }
  }
  EXPECT_THROW(session.save(folder.file("no/such/folder.safetensors")), tarn::DataError);
  EXPECT_THROW(session.fit_file_data(), tarn::DataError);
  for (const auto& [name, tensor] : before) EXPECT_EQ(floats(session.weights().at(name)), floats(tensor));
  EXPECT_THROW(tarn::compile_file(folder.file("missing.tarn")), tarn::CompileError);
}

TEST(Misuse, AModelWithoutATrainBlockPredictsOnly) {
  tarn::Session session(tarn::compile_file(example("by_hand.tarn")));
  const std::vector<float> x = {1, 1};
  EXPECT_THROW(session.fit({{"x", x}}), tarn::ArgumentError);
  EXPECT_THROW(session.train_on_batch({{"x", x}}), tarn::ArgumentError);
  EXPECT_THROW(session.evaluate({{"x", x}}), tarn::ArgumentError);
}

TEST(Misuse, ValuesBeyondWhatAnInputMeansAreNoDanger) {
  const tarn::Session session(tarn::compile(R"(model m {
    input  i[2]: i32
    input  b[2]: bool
    output y = one_hot(i, 3)
    output z = where(b, 1, 0) * 2
  })"));
  const std::vector<std::int32_t> i = {2, -5, std::numeric_limits<std::int32_t>::max(), 0};
  const bool b[4] = {true, false, true, true};
  const tarn::Outputs outputs = session.predict({{"i", i}, {"b", b}});
  EXPECT_EQ(floats(outputs["y"]), (std::vector<float>{0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(outputs["z"][1], 0);
  EXPECT_EQ(outputs["z"][3], 2);
  EXPECT_THROW(session.predict({{"i", std::vector<float>(4)}, {"b", b}}), tarn::ArgumentError);
  float y[6];
  EXPECT_THROW(session.predictor()(i.data(), y, 1), tarn::ArgumentError);
}

TEST(Misuse, IndicesOutsideOfTheirTableAreNamed) {
  tarn::Session session(tarn::compile(R"(model m {
    input  i[2]: i32
    output y = i |> embedding(5, 3) |> flatten() |> dense(1)
  }
  train {
    target t[1]
    loss mean_squared_error(y, t)
    optimizer sgd(lr = 0.1)
    epochs 1
    batch 2
  })"));
  const std::vector<float> t = {1, 2};
  const auto before = floats(session.weight("dense_1.kernel"));
  for (const std::int32_t wrong : {-1, 5, std::numeric_limits<std::int32_t>::min()}) {
    const std::vector<std::int32_t> i = {4, 0, 1, wrong};
    const std::string message = "'i' takes an index from 0 to 4; here is " + std::to_string(wrong);
    const auto expect_refusal = [&](const auto& call) {
      try {
        call();
        ADD_FAILURE() << "no error";
      } catch (const tarn::ArgumentError& error) {
        EXPECT_THAT(error.what(), HasSubstr(message));
      }
    };
    expect_refusal([&] { session.predict({{"i", i}}); });
    expect_refusal([&] { session.evaluate({{"i", i}, {"t", t}}); });
    expect_refusal([&] { session.train_on_batch({{"i", i}, {"t", t}}); });
    expect_refusal([&] { session.fit({{"i", i}, {"t", t}}); });
    // A predictor does not look, and reads the table's first or last row instead.
    float y[2];
    session.predictor()(i.data(), y, 2);
    EXPECT_TRUE(std::isfinite(y[0]) && std::isfinite(y[1]));
  }
  EXPECT_EQ(floats(session.weight("dense_1.kernel")), before);
}

TEST(Misuse, ValuesThatAreNotFiniteAreNamed) {
  tarn::Session session(tarn::compile(kLinear));
  const auto before = floats(session.weight("dense_1.kernel"));
  const std::vector<float> x = {1, 2, 3, 4, 5, 6}, t = {1, 2, 3};
  for (const float wrong : {NAN, -NAN, INFINITY, -INFINITY}) {
    for (const std::string name : {"x", "t"}) {
      std::vector<float> bad_x = x, bad_t = t;
      (name == "x" ? bad_x[5] : bad_t[2]) = wrong;
      const tarn::Arguments bad = {{"x", bad_x}, {"t", bad_t}}, good = {{"x", x}, {"t", t}};
      const auto expect_refusal = [&](const auto& call) {
        try {
          call();
          ADD_FAILURE() << "no error for " << wrong << " in " << name;
        } catch (const tarn::NotFiniteError& error) {
          EXPECT_THAT(error.what(), HasSubstr("the data of '" + name + "' hold a NaN or an infinity"));
          EXPECT_THAT(error.what(), HasSubstr("in sample 2"));
        }
      };
      expect_refusal([&] { session.fit(bad); });
      expect_refusal([&] { session.fit(good, {.validation = bad}); });
      expect_refusal([&] { session.train_on_batch(bad); });
      expect_refusal([&] { session.evaluate(bad); });
      if (name == "x") expect_refusal([&] { session.predict({{"x", bad_x}}); });
    }
  }
  EXPECT_EQ(floats(session.weight("dense_1.kernel")), before);
}

struct CMisuse {
  const char* what;
  std::function<tarn_status()> call;
  tarn_status status = TARN_INVALID;
  const char* message = "null";
};

class CApi : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(tarn_compile_text("m.tarn", kLinear, std::string_view(kLinear).size(), nullptr, &model_), TARN_OK);
    ASSERT_EQ(tarn_session_create(model_, nullptr, &session_), TARN_OK);
    ASSERT_EQ(tarn_predictor_create(session_, &predictor_), TARN_OK);
  }
  void TearDown() override {
    tarn_predictor_free(predictor_);
    tarn_session_free(session_);
    tarn_model_free(model_);
  }
  tarn_model* model_ = nullptr;
  tarn_session* session_ = nullptr;
  tarn_predictor* predictor_ = nullptr;
};

TEST_F(CApi, MisuseIsAStatusWithAMessage) {
  const float x[2] = {1, 1};
  float y[1] = {-7};
  const std::int64_t shape[2] = {1, 2}, negative[1] = {-1};
  const tarn_view good = {x, shape, nullptr, 2, TARN_F32};
  const tarn_array input = {"x", good};
  const tarn_array unnamed = {nullptr, good};
  const tarn_array typeless = {"x", {x, shape, nullptr, 2, 17}};
  const tarn_array shapeless = {"x", {x, nullptr, nullptr, 2, TARN_F32}};
  const tarn_array rankful = {"x", {x, shape, nullptr, 1000000, TARN_F32}};
  const tarn_array below = {"x", {x, negative, nullptr, 1, TARN_F32}};
  const tarn_output output = {"y", y, sizeof(y), TARN_F32};
  const tarn_output nowhere = {"y", nullptr, sizeof(y), TARN_F32};
  const tarn_output small = {"y", y, 3, TARN_F32};
  const tarn_output nameless = {nullptr, y, sizeof(y), TARN_F32};
  const tarn_output strange = {"y", y, sizeof(y), -1};
  const tarn_compile_options unsized = {};
  tarn_fit_options oversized = {};
  oversized.size = 4096;
  tarn_compile_options with_null_settings = {};
  with_null_settings.size = sizeof(with_null_settings);
  with_null_settings.setting_count = 1;
  tarn_model* model = nullptr;
  tarn_session* session = nullptr;
  tarn_predictor* predictor = nullptr;
  tarn_info info;
  double metrics[1];
  const void* const arrays[1] = {x};
  void* const outputs[1] = {y};
  const void* const null_arrays[1] = {nullptr};
  const auto predict = [&](const tarn_array& array, const tarn_output& to) {
    return tarn_session_predict(session_, &array, 1, &to, 1);
  };
  const tarn_array both[] = {input, {"t", {x, shape, nullptr, 1, TARN_F32}}};
  void* const misaligned[1] = {reinterpret_cast<char*>(y) + 1};
  const tarn_view crooked = {reinterpret_cast<const char*>(x) + 1, shape, nullptr, 2, TARN_F32};
  tarn_fit_options null_validation = {};
  null_validation.size = sizeof(null_validation);
  null_validation.validation_count = 1;
  const double half_value = 0.5;
  const tarn_view half = {&half_value, nullptr, nullptr, 0, TARN_F64};
  const std::int64_t no_rows[2] = {0, 2};
  const tarn_array none[] = {{"x", {x, no_rows, nullptr, 2, TARN_F32}}, {"t", {x, no_rows, nullptr, 1, TARN_F32}}};
  tarn_fit_options empty_validation = {};
  empty_validation.size = sizeof(empty_validation);
  empty_validation.validation = none;
  empty_validation.validation_count = 2;
  const tarn_session_options unsized_session = {};
  const tarn_setting keyless = {nullptr, "1"}, unknown = {"no_such_key", "1"};
  tarn_compile_options without_key = with_null_settings, with_unknown_key = with_null_settings, for_unknown_cpu = {};
  without_key.settings = &keyless;
  with_unknown_key.settings = &unknown;
  for_unknown_cpu.size = sizeof(for_unknown_cpu);
  for_unknown_cpu.cpu = "no_such_cpu";
  tarn_compile_options for_small_cpu = for_unknown_cpu;
  for_small_cpu.cpu = "i386";
  const auto compile = [&](const tarn_compile_options& options) {
    return tarn_compile_text("m.tarn", kLinear, std::string_view(kLinear).size(), &options, &model);
  };
  tarn_settings settings;
  tarn_progress progress;
  std::size_t bytes = 0;
  const CMisuse cases[] = {
      {"compile without a path", [&] { return tarn_compile_file(nullptr, nullptr, &model); }},
      {"compile to nowhere", [&] { return tarn_compile_file("x", nullptr, nullptr); }},
      {"compile no text", [&] { return tarn_compile_text("x", nullptr, 0, nullptr, &model); }},
      {"compile a text without a name", [&] { return tarn_compile_text(nullptr, "", 0, nullptr, &model); }},
      {"options without a size", [&] { return tarn_compile_text("x", "", 0, &unsized, &model); }, TARN_INVALID, "size"},
      {"options that are too large", [&] { return tarn_session_fit(session_, &input, 1, &oversized, nullptr); },
       TARN_INVALID, "size"},
      {"null settings", [&] { return tarn_compile_text("x", "", 0, &with_null_settings, &model); }},
      {"compile a text to nowhere", [&] { return tarn_compile_text("x", "", 0, nullptr, nullptr); }},
      {"a setting without a key", [&] { return tarn_compile_text("x", "", 0, &without_key, &model); }},
      {"a setting of nothing", [&] { return compile(with_unknown_key); }, TARN_COMPILE, "no_such_key"},
      {"a CPU that nobody makes", [&] { return compile(for_unknown_cpu); }, TARN_COMPILE, "no_such_cpu"},
      {"a CPU of 32 bits", [&] { return compile(for_small_cpu); }, TARN_COMPILE, "32 bits"},
      {"an empty text", [&] { return tarn_compile_text("x", "", 0, nullptr, &model); }, TARN_COMPILE, "x"},
      {"a file that is not there", [&] { return tarn_compile_file("/no/such.tarn", nullptr, &model); }, TARN_COMPILE,
       "such"},
      // What a failed call left behind is null, and stays an error.
      {"a session on no model", [&] { return tarn_session_create(model, nullptr, &session); }},
      {"settings of no model", [&] { return tarn_model_settings(nullptr, &settings); }},
      {"settings to nowhere", [&] { return tarn_model_settings(model_, nullptr); }},
      {"options of a session without a size", [&] { return tarn_session_create(model_, &unsized_session, &session); },
       TARN_INVALID, "size"},
      {"a session to nowhere", [&] { return tarn_session_create(model_, nullptr, nullptr); }},
      {"a predictor on no session", [&] { return tarn_predictor_create(session, &predictor); }},
      {"a predictor to nowhere", [&] { return tarn_predictor_create(session_, nullptr); }},
      {"no predictor", [&] { return tarn_predictor_run(predictor, arrays, outputs, 1); }},
      {"a predictor without lists", [&] { return tarn_predictor_run(predictor_, nullptr, outputs, 1); }},
      {"a predictor without outputs", [&] { return tarn_predictor_run(predictor_, arrays, nullptr, 1); }},
      {"a predictor with a null", [&] { return tarn_predictor_run(predictor_, null_arrays, outputs, 1); }},
      {"a predictor with a misaligned output", [&] { return tarn_predictor_run(predictor_, arrays, misaligned, 1); },
       TARN_INVALID, "not aligned"},
      {"information on no model", [&] { return tarn_model_info(nullptr, TARN_INPUT, 0, &info); }},
      {"information to nowhere", [&] { return tarn_model_info(model_, TARN_INPUT, 0, nullptr); }},
      {"a row that is not there", [&] { return tarn_model_info(model_, TARN_INPUT, 1, &info); }, TARN_INVALID,
       "no number 1"},
      {"a kind that is not there", [&] { return tarn_model_info(model_, 99, 0, &info); }, TARN_INVALID, "no number 0"},
      {"predict on nothing", [&] { return tarn_session_predict(nullptr, &input, 1, &output, 1); }},
      {"fit nothing", [&] { return tarn_session_fit(session, &input, 1, nullptr, nullptr); }},
      {"a batch of nothing", [&] { return tarn_session_train_on_batch(session, &input, 1, nullptr, 0); }},
      {"evaluate nothing", [&] { return tarn_session_evaluate(session, &input, 1, nullptr, 0); }},
      {"read of nothing", [&] { return tarn_session_read(session, "dense_1.bias", TARN_F32, y, 4); }},
      {"write to nothing", [&] { return tarn_session_write(session, "dense_1.bias", &good); }},
      {"classes of nothing", [&] { return tarn_session_classes(session, "t", nullptr, &bytes, &bytes); }},
      {"initialize nothing", [&] { return tarn_session_initialize(session, 1); }},
      {"save nothing", [&] { return tarn_session_save(session, "x"); }},
      {"load into nothing", [&] { return tarn_session_load(session, "x"); }},
      {"a checkpoint of nothing", [&] { return tarn_session_checkpoint(session, "x"); }},
      {"resume nothing", [&] { return tarn_session_resume(session, "x"); }},
      {"progress of nothing", [&] { return tarn_session_progress(session, &progress); }},
      {"fit null arrays", [&] { return tarn_session_fit(session_, nullptr, 1, nullptr, nullptr); }},
      {"null validation", [&] { return tarn_session_fit(session_, both, 2, &null_validation, nullptr); }},
      {"metrics of a batch into too little", [&] { return tarn_session_train_on_batch(session_, both, 2, metrics, 0); },
       TARN_INVALID, "room for 0 values"},
      {"predict null arrays", [&] { return tarn_session_predict(session_, nullptr, 1, &output, 1); }},
      {"predict to null outputs", [&] { return tarn_session_predict(session_, &input, 1, nullptr, 1); }},
      {"an array without a name", [&] { return predict(unnamed, output); }},
      {"a type that is not there", [&] { return predict(typeless, output); }, TARN_INVALID, "no type number 17"},
      {"no shape", [&] { return predict(shapeless, output); }},
      {"too many axes", [&] { return predict(rankful, output); }, TARN_INVALID, "1000000 axes"},
      {"a negative extent", [&] { return predict(below, output); }, TARN_INVALID, "negative"},
      {"null memory", [&] { return predict(input, nowhere); }},
      {"small memory", [&] { return predict(input, small); }, TARN_INVALID, "has 3 bytes"},
      {"an output without a name", [&] { return predict(input, nameless); }},
      {"an output of no type", [&] { return predict(input, strange); }, TARN_INVALID, "no known type"},
      {"evaluate into too little", [&] { return tarn_session_evaluate(session_, &input, 1, metrics, 0); }, TARN_INVALID,
       "room for 0 values"},
      {"read no name", [&] { return tarn_session_read(session_, nullptr, TARN_F32, y, 4); }},
      {"read to nowhere", [&] { return tarn_session_read(session_, "dense_1.bias", TARN_F32, nullptr, 4); }},
      {"read too little", [&] { return tarn_session_read(session_, "dense_1.bias", TARN_F32, y, 3); }, TARN_INVALID,
       "has 3 bytes"},
      {"read another type", [&] { return tarn_session_read(session_, "dense_1.bias", TARN_F64, y, 8); }, TARN_INVALID,
       "is f32"},
      {"read into misaligned memory",
       [&] { return tarn_session_read(session_, "dense_1.bias", TARN_F32, misaligned[0], 4); }, TARN_INVALID,
       "not aligned"},
      {"read what is not there", [&] { return tarn_session_read(session_, "z", TARN_F32, y, 4); }, TARN_INVALID,
       "no tensor 'z'"},
      {"write to no name", [&] { return tarn_session_write(session_, nullptr, &good); }},
      {"write to what is not there", [&] { return tarn_session_write(session_, "z", &good); }, TARN_INVALID,
       "no tensor 'z'"},
      {"write what has no type", [&] { return tarn_session_write(session_, "dense_1.kernel", &typeless.view); },
       TARN_INVALID, "no type number 17"},
      {"write from misaligned memory", [&] { return tarn_session_write(session_, "dense_1.kernel", &crooked); },
       TARN_INVALID, "not aligned"},
      {"write half a step", [&] { return tarn_session_write(session_, "step", &half); }, TARN_INVALID,
       "'step' counts from 0 to 4503599627370496, and cannot be 0.5"},
      {"write half an epoch", [&] { return tarn_session_write(session_, "epoch", &half); }, TARN_INVALID, "0.5"},
      {"validate on nothing", [&] { return tarn_session_fit(session_, both, 2, &empty_validation, nullptr); },
       TARN_INVALID, "no samples to validate on"},
      {"evaluate without arrays", [&] { return tarn_session_evaluate(session_, nullptr, 0, metrics, 1); }, TARN_DATA,
       "the file has no `data` block, and no arrays are given"},
      {"write nothing", [&] { return tarn_session_write(session_, "dense_1.bias", nullptr); }},
      {"classes without a place", [&] { return tarn_session_classes(session_, "t", nullptr, nullptr, nullptr); }},
      {"save to no path", [&] { return tarn_session_save(session_, nullptr); }},
      {"load from no path", [&] { return tarn_session_load(session_, nullptr); }},
      {"a checkpoint to no path", [&] { return tarn_session_checkpoint(session_, nullptr); }},
      {"resume from no path", [&] { return tarn_session_resume(session_, nullptr); }},
      {"stop nothing", [&] { return tarn_session_stop(nullptr); }},
      {"progress to nowhere", [&] { return tarn_session_progress(session_, nullptr); }},
  };
  for (const CMisuse& item : cases) {
    SCOPED_TRACE(item.what);
    EXPECT_EQ(item.call(), item.status);
    EXPECT_THAT(tarn_error_message(), HasSubstr(item.message));
    EXPECT_GE(tarn_error_count(), 1U);
    tarn_diagnostic row;
    EXPECT_EQ(tarn_error_get(0, &row), TARN_OK);
    EXPECT_EQ(row.severity, TARN_ERROR);
    EXPECT_EQ(tarn_error_get(99, &row), TARN_INVALID);
    EXPECT_EQ(tarn_error_get(0, nullptr), TARN_INVALID);
  }
  EXPECT_EQ(y[0], -7.0F);
  EXPECT_EQ(model, nullptr);
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(tarn_model_name(nullptr), nullptr);
  EXPECT_EQ(tarn_model_count(nullptr, TARN_INPUT), 0U);
  EXPECT_EQ(tarn_model_count(model_, -1), 0U);
  tarn_model_free(nullptr);
  tarn_session_free(nullptr);
  tarn_predictor_free(nullptr);
  EXPECT_EQ(predict(input, output), TARN_OK);
  EXPECT_NE(y[0], -7.0F);
}

// Those that take an argument have a row above, or more.
TEST(Misuse, EveryFunctionOfTheCApiIsMisusedHere) {
  const fs::path source = tarn::test::source_folder();
  const std::string header = tarn::test::read_text(source / "runtime/include/tarn/c.h");
  const std::string rows = tarn::test::read_text(source / "tests/library/misuse_test.cpp");
  // TARN_API result name(parameters);
  const std::string mark = "\nTARN_API ";
  std::size_t count = 0;
  for (std::size_t at = header.find(mark); at != std::string::npos; at = header.find(mark, at + 1)) {
    const std::size_t open = header.find('(', at);
    if (header.compare(open, 6, "(void)") == 0) continue;
    const std::size_t name = header.find_last_of(" *\n", open) + 1;
    EXPECT_THAT(rows, HasSubstr(header.substr(name, open + 1 - name)));
    ++count;
  }
  EXPECT_GE(count, 27U);
}

}  // namespace
}  // namespace library_test
