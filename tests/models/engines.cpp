// Who runs models. See judge.h.
#include <algorithm>

#include "tests/models/judge.h"
#include "tests/support/compiler/codegen_test_support.h"

namespace tarn::models {

namespace {

Target target_of_vectors(std::int64_t bytes) {
  Target target;
  target.vector_bytes = bytes;
  return target;
}

template <int parts>
Result<Trajectory> in_parts(const Subject& subject) {
  NativeOptions options;
  options.parts = parts;
  return native(subject, options);
}

Result<Trajectory> on_cpu(const Subject& subject, const std::string& cpu) {
  NativeOptions options;
  options.cpu = cpu;
  return native(subject, options);
}

Result<Trajectory> without_pass(const Subject& subject, const char* pass) {
  NativeOptions options;
  options.disabled = {pass};
  return native(subject, options);
}

std::vector<Engine> make_engines() {
  std::vector<Engine> list = {
      {"interpreter", [](const Subject& s) { return interpreted(s, {}); }},
      {"native", [](const Subject& s) { return native(s, {}); }},
      {"interpreter without fusion", [](const Subject& s) { return interpreted(s, {{{}, false, true}, {}}); }},
      {"interpreter, nothing in place", [](const Subject& s) { return interpreted(s, {{{}, true, false}, {}}); }},
      {"interpreter, long vectors, backwards",
       [](const Subject& s) { return interpreted(s, {{target_of_vectors(64)}, {}, true}); }},
      {"native without constant_folding", [](const Subject& s) { return without_pass(s, "constant_folding"); }},
      {"native without simplify", [](const Subject& s) { return without_pass(s, "simplify"); }},
      {"native without dead_code", [](const Subject& s) { return without_pass(s, "dead_code"); }},
      {"native without fusion",
       [](const Subject& s) {
         NativeOptions options;
         options.fuses = false;
         return native(s, options);
       }},
      {"native in 2 parts", in_parts<2>, "native"},
      {"native in 3 parts", in_parts<3>, "native"},
      {"native in 8 parts", in_parts<8>, "native"},
      {"native, packed weights",
       [](const Subject& s) {
         NativeOptions options;
         options.packs = true;
         return native(s, options);
       },
       "native"},
      {"native, rounded metrics",
       [](const Subject& s) {
         NativeOptions options;
         options.rounds_metrics = true;
         return native(s, options);
       }},
      {"shared object", [](const Subject& s) { return as_shared_object(s, "native", 1); }, "native, rounded metrics"},
      {"shared object for 3 threads", [](const Subject& s) { return as_shared_object(s, "native", 3); },
       "native, rounded metrics"},
  };
  const auto can_run = [](const std::string& cpu) {
    const auto& all = testing::cpus();
    return std::find(all.begin(), all.end(), cpu) != all.end();
  };
  if (can_run("x86-64")) list.push_back({"native for x86-64", [](const Subject& s) { return on_cpu(s, "x86-64"); }});
  if (can_run("x86-64") && has_node()) {
    list.push_back({"native for x86-64, rounded metrics", [](const Subject& s) {
                      NativeOptions options;
                      options.cpu = "x86-64";
                      options.rounds_metrics = true;
                      return native(s, options);
                    }});
    list.push_back({"WebAssembly", as_web_assembly, "native for x86-64, rounded metrics"});
  }
  if (can_run("x86-64-v3"))
    list.push_back({"native for x86-64-v3", [](const Subject& s) { return on_cpu(s, "x86-64-v3"); }});
  if (can_run(testing::kWideVectors))
    list.push_back({"native, vectors of 64 bytes", [](const Subject& s) { return on_cpu(s, testing::kWideVectors); }});
  return list;
}

}  // namespace

const std::vector<Engine>& engines() {
  static const std::vector<Engine> list = make_engines();
  return list;
}

std::vector<Engine> engines_for(std::uint64_t seed, bool all) {
  if (all) return engines();
  constexpr std::size_t kAlways = 2;
  return {engines()[0], engines()[1], engines()[kAlways + seed % (engines().size() - kAlways)]};
}

}  // namespace tarn::models
