// Weights that threads predict with while another changes them, without a lock on the predicting side.
//
// A session's working state belongs to whoever trains or loads. Predictions read a snapshot: the part of a state that
// `predict` and `evaluate` look at, immutable once it is published. A prediction holds a Reader, which has a hazard
// pointer (M. Michael, "Hazard pointers: safe memory reclamation for lock-free objects", IEEE TPDS 15, 2004): it names
// the snapshot in use, and a snapshot that some reader names is not freed. Snapshots are made lazily: a prediction that
// finds the working state changed copies it, unless somebody is changing it just now; then the last snapshot serves,
// and whoever is changing it makes a new one at the end of the change: between two epochs there is hardly time for
// others.
// The first prediction with a snapshot packs its weights (passes/planner/packed_weights.h) where that makes predictions
// faster.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "codegen/native.h"
#include "runtime/files/array.h"

namespace tarn {

struct Snapshot {
  Snapshot() = default;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot() { delete packed.load(std::memory_order_relaxed); }

  Bytes state;
  mutable std::atomic<const Bytes*> packed{nullptr};  // made by the first prediction
  std::uint64_t version = 0;
  Snapshot* next = nullptr;  // in the list of snapshots that wait to be freed
};

// What one prediction at a time needs for itself.
struct alignas(64) Reader {
  std::atomic<const Snapshot*> hazard{nullptr};
  std::atomic<bool> taken{false};
  Reader* next = nullptr;
  Bytes workspace;
  Control control;
};

class ServedWeights {
 public:
  // Copies the first `bytes` bytes of the working state of the owner. `packed`: what predictions read instead of a
  // state, where it lies otherwise than in one; outlives this.
  ServedWeights(std::function<const std::byte*()> working_state, std::size_t bytes, std::size_t workspace_bytes,
                const PackedWeights& packed);
  ServedWeights(const ServedWeights&) = delete;
  ServedWeights& operator=(const ServedWeights&) = delete;
  // No reader may be in use.
  ~ServedWeights();

  // The working state is about to change: waits until nobody copies it, and keeps copies from being made. One thread at
  // a time.
  void begin_change();
  // The change is done; `changed` false where the state is the old one after all. Copies it if a prediction found it in
  // the middle of a change.
  void end_change(bool changed);
  // Copies the working state now, so that no prediction has to.
  void publish();

  // A reader that nobody else uses; made where there is none.
  Reader* take_reader();
  static void release_reader(Reader* reader) { reader->taken.store(false, std::memory_order_release); }

  // The state to evaluate with, which stays as it is until unprotect(). nullptr where another thread is using this
  // reader.
  const std::byte* protect_state(Reader& reader);
  // The same of what predictions read: packed weights, or a state.
  const std::byte* protect_weights(Reader& reader);
  static void unprotect(Reader& reader) { reader.hazard.store(nullptr, std::memory_order_release); }

  // Asks the calls of all readers to stop. Safe in a signal handler.
  void stop_readers();

 private:
  const Snapshot* protect(Reader& reader);
  std::unique_ptr<Snapshot> copy_working_state();
  const Snapshot* settle(Reader& reader, const Snapshot* snapshot);
  const Snapshot* refreshed(Reader& reader, const Snapshot* snapshot);
  void retire(const Snapshot* snapshot);
  void free_unused();
  bool is_protected(const Snapshot* snapshot) const;

  const std::function<const std::byte*()> working_state_;
  const std::size_t bytes_, workspace_bytes_;
  const PackedWeights& packed_;
  std::atomic<const Snapshot*> current_{nullptr};
  std::atomic<std::uint64_t> version_{0};  // of the working state
  // Threads that copy the working state; -1 while it is being changed.
  std::atomic<std::int32_t> copying_{0};
  // A prediction would have copied the working state, but for a change.
  std::atomic<bool> wanted_{false};
  std::atomic<Reader*> readers_{nullptr};
  std::atomic<Snapshot*> retired_{nullptr};
  std::mutex freeing_;  // only ever tried by predictions, never waited for
};

// Has a reader of its own for as long as it lives, and the snapshot for as long as that is wanted.
class ReaderLease {
 public:
  explicit ReaderLease(ServedWeights& weights) : weights_(weights), reader_(weights.take_reader()) {}
  ReaderLease(const ReaderLease&) = delete;
  ReaderLease& operator=(const ReaderLease&) = delete;
  ~ReaderLease() {
    ServedWeights::unprotect(*reader_);
    ServedWeights::release_reader(reader_);
  }
  Reader& reader() const { return *reader_; }
  const std::byte* state() { return weights_.protect_state(*reader_); }
  const std::byte* weights() { return weights_.protect_weights(*reader_); }

 private:
  ServedWeights& weights_;
  Reader* reader_;
};

}  // namespace tarn
