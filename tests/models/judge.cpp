// See judge.h.
#include "tests/models/judge.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace tarn::models {

namespace {

// u is what one rounding may do, and noise is added in its place: so large that it flips whatever roundings might flip.
struct Precision {
  double u, noise;
  // A tensor whose scatter is more than this share of its size is not compared.
  double most_scatter;
  // Below this numbers have fewer digits.
  double smallest;
};
constexpr Precision kSingles = {0x1p-24, 0x1p-18, 0x1p-8, 0x1p-118};
constexpr Precision kDoubles = {0x1p-53, 0x1p-40, 0x1p-20, 0x1p-960};

// Sums of a few hundred terms in another order, fused multiply-adds, and the ulps of elementary functions: together so
// many roundings for each operation that is given noise.
constexpr double kRoundings = 256;
constexpr int kNoisyRuns = 4, kMoreNoisyRuns = 32;

double largest_of(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (!(difference <= most)) most = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
  }
  return most;
}

// How far each observation may be from the evaluator's.
class Bounds {
 public:
  Bounds(const Subject& subject, const Trajectory& expected, Precision precision)
      : subject_(subject), expected_(expected), precision_(precision), scatter_(expected.size(), 0) {
    add_runs(kNoisyRuns, 1);
  }

  // Nothing where the scatter says that the observation is no smooth function of what is rounded.
  std::optional<double> of(std::size_t i) const {
    const double size = largest_of(expected_[i].values);
    if (!(scatter_[i] <= precision_.most_scatter * size) && scatter_[i] > 0) return std::nullopt;
    return kRoundings * precision_.u * (scatter_[i] / precision_.noise + size / 16) + precision_.smallest;
  }

  // Looks closer, where something differs.
  void refine() {
    if (std::exchange(is_refined_, true)) return;
    add_runs(kMoreNoisyRuns, 1);
    add_runs(kMoreNoisyRuns, 8);
  }

 private:
  void add_runs(int count, double scale) {
    for (int i = 0; i < count; ++i) {
      const Result<Trajectory> noisy = evaluated(subject_, scale * precision_.noise, ++runs_);
      for (std::size_t k = 0; k < expected_.size(); ++k) {
        const double away = noisy ? distance((*noisy)[k].values, expected_[k].values) : 0;
        scatter_[k] = std::max(scatter_[k], away / scale);
      }
    }
  }

  const Subject& subject_;
  const Trajectory& expected_;
  Precision precision_;
  std::vector<double> scatter_;
  std::uint64_t runs_ = 0;
  bool is_refined_ = false;
};

class Judge {
 public:
  Judge(const RandomModel& model, const std::vector<Engine>& by) : model_(model), by_(by) {}

  Verdict verdict() {
    const Result<Subject> subject = prepare(model_);
    if (!subject) return {Verdict::Kind::invalid, "frontend", subject.error().front().message};
    subject_ = &*subject;
    const Result<Trajectory> expected = evaluated(*subject_);
    if (!expected) return {Verdict::Kind::failed, "evaluator", expected.error().front().message};
    if (!is_finite(*expected)) return {Verdict::Kind::not_finite, "evaluator", ""};
    expected_ = &*expected;
    for (const Engine& engine : by_) {
      if (!check(engine)) break;
    }
    return std::move(verdict_);
  }

 private:
  bool fail(Verdict::Kind kind, const Engine& engine, std::string what) {
    verdict_.kind = kind;
    verdict_.engine = engine.name;
    verdict_.what = std::move(what);
    return false;
  }

  const Result<Trajectory>& run(const Engine& engine) {
    const auto found = seen_.find(engine.name);
    return found != seen_.end() ? found->second : seen_.emplace(engine.name, engine.run(*subject_)).first->second;
  }

  bool check(const Engine& engine) {
    const Result<Trajectory>& actual = run(engine);
    if (!actual) return explains_overflow(actual.error()) || fail(Verdict::Kind::failed, engine, message_of(actual));
    if (actual->size() != expected_->size())
      return fail(Verdict::Kind::differ, engine,
                  fmt::format("{} observations, not {}", actual->size(), expected_->size()));
    if (engine.bits_of.empty()) return check_near(engine, *actual);
    const auto other = std::ranges::find(engines(), engine.bits_of, &Engine::name);
    TARN_CHECK(other != engines().end(), "no engine '" + engine.bits_of + "'");
    const Result<Trajectory>& reference = run(*other);
    return !reference || check_bits(engine, *actual, *reference);
  }

  static std::string message_of(const Result<Trajectory>& actual) { return actual.error().front().message; }

  // A number beyond f32 ends training, though the evaluator goes on.
  bool explains_overflow(const Diagnostics& errors) {
    if (!errors.front().message.starts_with("not finite")) return false;
    const Result<Trajectory> rounded = evaluated(*subject_, 0, 0, true);
    return rounded && !is_finite(*rounded);
  }

  bool check_bits(const Engine& engine, const Trajectory& actual, const Trajectory& reference) {
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const std::vector<double>&a = actual[i].values, &e = reference[i].values;
      ++verdict_.compared;
      if (a.size() == e.size() && std::memcmp(a.data(), e.data(), a.size() * sizeof(double)) == 0) continue;
      return fail(Verdict::Kind::differ, engine,
                  fmt::format("{} has other bits than by '{}': {}", actual[i].name, engine.bits_of, first_of(a, e)));
    }
    return true;
  }

  bool check_near(const Engine& engine, const Trajectory& actual) {
    if (!bounds_) bounds_.emplace(*subject_, *expected_, subject_->has_singles ? kSingles : kDoubles);
    Bounds& bounds = *bounds_;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const double away = distance(actual[i].values, (*expected_)[i].values);
      std::optional<double> bound = bounds.of(i);
      if (bound && !(away <= *bound)) {
        bounds.refine();
        bound = bounds.of(i);
      }
      ++(bound ? verdict_.compared : verdict_.skipped);
      if (!bound || away <= *bound) continue;
      return fail(Verdict::Kind::differ, engine,
                  fmt::format("{} is {:.3g} away, and may be {:.3g}: {}", actual[i].name, away, *bound,
                              first_of(actual[i].values, (*expected_)[i].values, *bound)));
    }
    return true;
  }

  static std::string first_of(const std::vector<double>& a, const std::vector<double>& e, double bound = 0) {
    for (std::size_t i = 0; i < std::min(a.size(), e.size()); ++i) {
      if (!(std::fabs(a[i] - e[i]) <= bound)) return fmt::format("[{}] is {:.17g}, not {:.17g}", i, a[i], e[i]);
    }
    return fmt::format("{} numbers, not {}", a.size(), e.size());
  }

  const RandomModel& model_;
  const std::vector<Engine>& by_;
  const Subject* subject_ = nullptr;
  const Trajectory* expected_ = nullptr;
  std::map<std::string, Result<Trajectory>> seen_;
  std::optional<Bounds> bounds_;
  Verdict verdict_;
};

// A verdict as lines, through a pipe.
std::string lines_of(const Verdict& verdict) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", static_cast<int>(verdict.kind), verdict.compared, verdict.skipped,
                     verdict.engine, verdict.what);
}

std::optional<Verdict> verdict_of(const std::string& lines) {
  Verdict verdict;
  int kind = 0, read = 0;
  if (std::sscanf(lines.c_str(), "%d\n%zu\n%zu\n%n", &kind, &verdict.compared, &verdict.skipped, &read) != 3)
    return std::nullopt;
  verdict.kind = static_cast<Verdict::Kind>(kind);
  const std::size_t end = lines.find('\n', static_cast<std::size_t>(read));
  verdict.engine = lines.substr(static_cast<std::size_t>(read), end - static_cast<std::size_t>(read));
  verdict.what = lines.substr(end + 1);
  return verdict;
}

[[noreturn]] void judge_into(int pipe, const RandomModel& model, const std::vector<Engine>& by, unsigned seconds) {
  // Of the processor's time; of everybody else's, where the machine is busy, a good deal more.
  const rlimit limit{seconds, seconds};
  setrlimit(RLIMIT_CPU, &limit);
  alarm(20 * seconds);
  const std::string lines = lines_of(judge(model, by));
  for (std::size_t written = 0; written < lines.size();) {
    const ssize_t count = write(pipe, lines.data() + written, lines.size() - written);
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  _exit(0);
}

}  // namespace

const char* name_of(Verdict::Kind kind) {
  static constexpr std::array names = {"agree", "differ", "invalid", "failed", "not finite", "crashed", "too slow"};
  return names.at(static_cast<std::size_t>(kind));
}

Verdict judge(const RandomModel& model, const std::vector<Engine>& by) { return Judge(model, by).verdict(); }

Verdict judge_apart(const RandomModel& model, const std::vector<Engine>& by, unsigned seconds) {
  std::array<int, 2> ends{};
  TARN_CHECK(pipe(ends.data()) == 0, "no pipe");
  const pid_t child = fork();
  TARN_CHECK(child >= 0, "no process");
  if (child == 0) judge_into(ends[1], model, by, seconds);
  close(ends[1]);
  std::string lines;
  std::array<char, 4096> part{};
  for (ssize_t count = 0; (count = read(ends[0], part.data(), part.size())) > 0;)
    lines.append(part.data(), static_cast<std::size_t>(count));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (signal == SIGALRM || signal == SIGXCPU || signal == SIGKILL)
    return {Verdict::Kind::too_slow, "", "no end in sight"};
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return {Verdict::Kind::crashed, "", fmt::format("wait status {}", status)};
  return verdict_of(lines).value_or(Verdict{Verdict::Kind::crashed, "", "no verdict"});
}

}  // namespace tarn::models
