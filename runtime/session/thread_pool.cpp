// Hand-over of tasks by spinning for a bounded time, then by futexes. See thread_pool.h.
#include "runtime/session/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <system_error>

namespace tarn {

namespace {

// How long to look for the next task, or the end of a part, before sleeping. The serial kernels between two shared ones
// take less than that (those that take longer are shared); going to sleep and being woken takes about as long.
constexpr std::chrono::microseconds kLooking{50};

// A loss of so many nanoseconds ends sharing for a while: more than the price of waking workers now and then, less than
// a turn of another process on the core of a worker, which is some milliseconds.
constexpr double kLoss = 200'000;
// What of earlier savings still counts, a task later.
constexpr double kMemory = 0.9;
// Tasks done alone after a loss, and after losses that follow each other: one turn lost in some thousand tasks of some
// ten microseconds and more is a few per cent.
constexpr std::uint32_t kShortestPause = 16, kLongestPause = 4096;

using Clock = std::chrono::steady_clock;
double nanoseconds(Clock::duration time) { return std::chrono::duration<double, std::nano>(time).count(); }

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether `condition` came true within kLooking.
template <class Condition>
bool look_for(Condition condition) {
  constexpr int kLooksBetweenClocks = 64;
  const auto end = Clock::now() + kLooking;
  do {
    for (int i = 0; i < kLooksBetweenClocks; ++i) {
      if (condition()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return condition();
}

constexpr std::uint64_t number_of(std::uint64_t ticket) { return ticket >> 32; }
constexpr std::uint64_t parts_of(std::uint64_t ticket) { return ticket >> 16 & 0xFFFF; }
constexpr std::uint64_t taken_of(std::uint64_t ticket) { return ticket & 0xFFFF; }

}  // namespace

ThreadPool::ThreadPool(int threads) : pause_(kShortestPause) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    return;  // those that there are will do
  }
}

ThreadPool::~ThreadPool() {
  ends_.store(true);
  signal_.fetch_add(1);
  signal_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::size_t ThreadPool::take_parts() {
  std::size_t done = 0;
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (taken_of(ticket) < parts_of(ticket)) {
    const Body body = body_.load(std::memory_order_relaxed);
    void* const argument = argument_.load(std::memory_order_relaxed);
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    body(argument, static_cast<std::size_t>(taken_of(ticket)));
    ++done;
    if (left_.fetch_sub(1) == 1 && waits_.load() != 0) left_.notify_all();
    ticket = ticket_.load(std::memory_order_acquire);
  }
  return done;
}

void ThreadPool::work() {
  for (;;) {
    const std::uint32_t seen = signal_.load();
    take_parts();
    if (ends_.load()) return;
    if (look_for([&] { return signal_.load(std::memory_order_relaxed) != seen; })) continue;
    // Who signals after this looks at the number of sleepers afterwards, so one of the two sees the other.
    sleepers_.fetch_add(1);
    signal_.wait(seen);
    sleepers_.fetch_sub(1);
    if (const int core = core_of_caller_.load(std::memory_order_relaxed); sched_getcpu() == core) leave_core(core);
  }
}

void ThreadPool::run(std::size_t count, Body body, void* argument) {
  if (count == 0) return;
  if (alone_ > 0) {
    --alone_;
    for (std::size_t i = 0; i < count; ++i) body(argument, i);
    return;
  }
  const auto start = Clock::now();
  body_.store(body, std::memory_order_relaxed);
  argument_.store(argument, std::memory_order_relaxed);
  left_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
  const std::uint64_t number = number_of(ticket_.load(std::memory_order_relaxed)) + 1;
  ticket_.store(number << 32 | static_cast<std::uint64_t>(count) << 16, std::memory_order_release);
  signal_.fetch_add(1);
  if (sleepers_.load() != 0) {
    core_of_caller_.store(sched_getcpu(), std::memory_order_relaxed);
    signal_.notify_all();
  }
  const std::size_t own = take_parts();
  const auto own_end = Clock::now();
  await_others();
  if (own == 0) return;
  // All parts take as long as our own.
  const double alone = nanoseconds(own_end - start) * static_cast<double>(count) / static_cast<double>(own);
  note_gain(alone - nanoseconds(Clock::now() - start));
}

void ThreadPool::await_others() {
  if (look_for([&] { return left_.load(std::memory_order_acquire) == 0; })) return;
  waits_.store(1);
  for (std::uint32_t left = left_.load(); left != 0; left = left_.load()) left_.wait(left);
  waits_.store(0);
}

void ThreadPool::note_gain(double nanoseconds) {
  saved_ = saved_ * kMemory + nanoseconds;
  if (saved_ < -kLoss) {
    alone_ = pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
    saved_ = 0;
  } else if (saved_ > kLoss) {
    pause_ = kShortestPause;
  }
}

int leave_core(int core) {
  cpu_set_t allowed;
  const bool known = sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
  if (known && core >= 0 && CPU_ISSET(static_cast<std::size_t>(core), &allowed) && CPU_COUNT(&allowed) > 1) {
    cpu_set_t others = allowed;
    CPU_CLR(static_cast<std::size_t>(core), &others);
    if (sched_setaffinity(0, sizeof(others), &others) == 0) {
      const int now = sched_getcpu();
      sched_setaffinity(0, sizeof(allowed), &allowed);
      return now;
    }
  }
  return sched_getcpu();
}

PoolLease::PoolLease(ThreadPool* pool, Control& control)
    : pool_(pool != nullptr && pool->threads() > 1 && pool->try_take() ? pool : nullptr), control_(control) {
  if (pool_ == nullptr) return;
  control_.threads = pool_->threads();
  control_.context = pool_;
  control_.parallel_for = [](void* context, std::size_t count, ThreadPool::Body body, void* argument) {
    static_cast<ThreadPool*>(context)->run(count, body, argument);
  };
}

PoolLease::~PoolLease() {
  if (pool_ == nullptr) return;
  control_.threads = 0;
  control_.parallel_for = nullptr;
  control_.context = nullptr;
  pool_->give_back();
}

int useful_threads(const ProgramPlan& plan, int asked) {
  if (!is_shared(plan)) return 1;
  return std::min(asked > 0 ? asked : available_cores(), kMostThreads);
}

}  // namespace tarn
