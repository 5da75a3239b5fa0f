// Threads that share kernels with the thread that runs them: the parallel_for of Control.
//
// A worker that is woken on the core of the caller, as happens where the system has moved that one, would wait for its
// turn there, 3 ms at a time and for some 20 ms: it goes to another core.
//
// Between two kernels a worker looks for the next one for some microseconds, then sleeps; the caller waits in the same
// way for parts that others work on. Parts are taken by whoever is there first: where a core is taken away from a
// worker before it has begun, the caller does its part as well. Where workers lose their cores in the middle of parts
// again and again, so that sharing takes longer than not sharing, the caller does without them for a while. Which
// thread computes a part never shows in a result.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "codegen/native.h"

namespace tarn {

class ThreadPool {
 public:
  using Body = void (*)(void* argument, std::size_t i);

  // `threads` in all, the caller's among them; fewer where the system gives no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(argument, i) for every i below count, at most 65,535, and returns when all calls have returned. From one
  // thread at a time, and not from within a body.
  void run(std::size_t count, Body body, void* argument);

  // One user at a time: false where there is one already.
  bool try_take() { return !taken_.exchange(true, std::memory_order_acquire); }
  void give_back() { taken_.store(false, std::memory_order_release); }

 private:
  void work();
  // Does parts of the task that `ticket_` stands for until there are none left; how many.
  std::size_t take_parts();
  void await_others();
  // Keeps account of what sharing has brought.
  void note_gain(double nanoseconds);

  // The task: its number in the upper 32 bits, then how many parts it has and how many of them are taken, 16 bits each.
  // The fields below are written before it, and only while all parts of the task before are done: so who has taken a
  // part by changing the ticket has read the fields of the ticket's task.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  std::atomic<Body> body_{nullptr};
  std::atomic<void*> argument_{nullptr};
  alignas(64) std::atomic<std::uint32_t> left_{0};    // parts of the task that are not done
  std::atomic<std::uint32_t> waits_{0};               // whether the caller sleeps until left_ is 0
  alignas(64) std::atomic<std::uint32_t> signal_{0};  // changes with every task, for those who sleep
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic<int> core_of_caller_{-1};  // when it last woke the sleepers
  std::atomic<bool> ends_{false}, taken_{false};
  // Of the caller: nanoseconds that sharing has saved lately, tasks yet to be done without the workers, and how many it
  // will be next time.
  double saved_ = 0;
  std::uint32_t alone_ = 0, pause_;
  std::vector<std::thread> workers_;
};

// Moves the thread that calls this to another core than `core`, if it may run on any other; it may run wherever it
// might before. Returns the core that it was moved to, or where it is.
int leave_core(int core);

// Lends a pool to the calls that are given this control; they run alone where there is no pool or somebody has it.
class PoolLease {
 public:
  PoolLease(ThreadPool* pool, Control& control);
  ~PoolLease();
  PoolLease(const PoolLease&) = delete;
  PoolLease& operator=(const PoolLease&) = delete;

 private:
  ThreadPool* const pool_;  // null where the pool is not ours
  Control& control_;
};

// Threads that a call of the plan's code can make use of: `asked`, or, for 0, as many as this process has cores, but no
// more than kMostThreads; 1 where no kernel is worth sharing.
int useful_threads(const ProgramPlan& plan, int asked);

}  // namespace tarn
