// Models of the C++ API: compiling, and what a compiled model tells about itself. See tarn/tarn.h.
#pragma once

#include <tarn/array.h>
#include <tarn/c.h>
#include <tarn/error.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tarn {
inline namespace v0 {

using Log = std::function<void(Diagnostic::Severity, std::string_view)>;

struct CompileOptions {
  // Constants of the file and keys of its train block: {{"width", "32"}, {"optimizer", "adam(lr = 0.01)"}}.
  std::vector<std::pair<std::string, std::string>> set = {};
  DType float_type = DType::f32;
  bool fast_math = false;
  std::string cpu = {};  // "": this machine's
  Log log = {};          // warnings and remarks; what it throws is lost
  // A file of weights or a checkpoint, whose noted constants are settings, too; those of `set` win.
  std::string weights = {};
};

// A row of a model's tables; see tarn_kind.
struct Info {
  std::string name;
  std::vector<std::int64_t> shape;  // of one sample, where the kind has samples
  DType dtype = DType::f32;
  bool trainable = false;
};

// A compiled model. Copies share it; it may be used from all threads.
class Model {
 public:
  std::string name() const {
    const char* const name = tarn_model_name(handle_.get());
    return name == nullptr ? "" : name;
  }
  std::vector<Info> table(std::int32_t kind) const {
    std::vector<Info> rows;
    for (std::size_t i = 0; i < tarn_model_count(handle_.get(), kind); ++i) {
      const tarn_info row = info(kind, i);
      rows.push_back({row.name, {row.shape, row.shape + row.rank}, static_cast<DType>(row.dtype), row.trainable != 0});
    }
    return rows;
  }
  std::vector<Info> inputs() const { return table(TARN_INPUT); }
  std::vector<Info> targets() const { return table(TARN_TARGET); }
  std::vector<Info> outputs() const { return table(TARN_OUTPUT); }
  std::vector<Info> parameters() const { return table(TARN_PARAMETER); }
  std::vector<Info> metrics() const { return table(TARN_METRIC); }
  tarn_settings settings() const {
    tarn_settings settings;
    detail::check(tarn_model_settings(handle_.get(), &settings));
    return settings;
  }

  tarn_info info(std::int32_t kind, std::size_t index) const {
    tarn_info row;
    detail::check(tarn_model_info(handle_.get(), kind, index, &row));
    return row;
  }
  const tarn_model* c_model() const { return handle_.get(); }

  // Takes the handle over; what `owned` points to lives as long as the model does.
  explicit Model(tarn_model* handle, std::shared_ptr<const void> owned = nullptr)
      : handle_(handle, [owned = std::move(owned)](tarn_model* model) { tarn_model_free(model); }) {}

 private:
  std::shared_ptr<tarn_model> handle_;
};

namespace detail {

inline void forward_log(void* context, tarn_severity severity, const char* message) {
  try {
    (*static_cast<const Log*>(context))(static_cast<Diagnostic::Severity>(severity), message);
  } catch (...) {  // there is C on the way out
  }
}

template <class Compile>
Model compile(const CompileOptions& options, const Compile& call) {
  std::vector<tarn_setting> settings;
  for (const auto& [key, value] : options.set) settings.push_back({key.c_str(), value.c_str()});
  const auto log = std::make_shared<Log>(options.log);
  tarn_compile_options chosen = {};
  chosen.size = sizeof(chosen);
  chosen.settings = settings.data();
  chosen.setting_count = settings.size();
  chosen.float_type = static_cast<tarn_dtype>(options.float_type);
  chosen.fast_math = options.fast_math ? 1 : 0;
  chosen.cpu = options.cpu.empty() ? nullptr : options.cpu.c_str();
  chosen.log = *log ? forward_log : nullptr;
  chosen.log_context = log.get();
  chosen.weights = options.weights.empty() ? nullptr : options.weights.c_str();
  tarn_model* model = nullptr;
  check(call(&chosen, &model));
  return Model(model, log);
}

}  // namespace detail

inline Model compile_file(const std::string& path, const CompileOptions& options = {}) {
  return detail::compile(options, [&](const tarn_compile_options* chosen, tarn_model** model) {
    return tarn_compile_file(path.c_str(), chosen, model);
  });
}

// A model from a text, which diagnostics call `name`; imports and data files are relative to the folder of that.
inline Model compile(std::string_view text, const CompileOptions& options = {},
                     const std::string& name = "model.tarn") {
  return detail::compile(options, [&](const tarn_compile_options* chosen, tarn_model** model) {
    return tarn_compile_text(name.c_str(), text.data(), text.size(), chosen, model);
  });
}

}  // namespace v0
}  // namespace tarn
