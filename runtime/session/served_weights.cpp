// Hazard pointers, and the making and freeing of snapshots. See served_weights.h.
#include "runtime/session/served_weights.h"

#include <cstring>
#include <new>
#include <thread>
#include <utility>

namespace tarn {

ServedWeights::ServedWeights(std::function<const std::byte*()> working_state, std::size_t bytes,
                             std::size_t workspace_bytes, const PackedWeights& packed)
    : working_state_(std::move(working_state)), bytes_(bytes), workspace_bytes_(workspace_bytes), packed_(packed) {
  current_ = copy_working_state().release();
}

ServedWeights::~ServedWeights() {
  delete current_.load();
  for (Snapshot* snapshot = retired_.load(); snapshot != nullptr;) delete std::exchange(snapshot, snapshot->next);
  for (Reader* reader = readers_.load(); reader != nullptr;) delete std::exchange(reader, reader->next);
}

void ServedWeights::begin_change() {
  std::int32_t nobody = 0;
  while (!copying_.compare_exchange_weak(nobody, -1, std::memory_order_acquire)) {
    nobody = 0;
    std::this_thread::yield();
  }
}

void ServedWeights::end_change(bool changed) {
  if (changed) version_.fetch_add(1, std::memory_order_release);
  copying_.store(0, std::memory_order_release);
  if (!changed || !wanted_.exchange(false, std::memory_order_relaxed)) return;
  try {
    publish();
  } catch (const std::bad_alloc&) {
    // The last snapshot serves a while longer.
  }
}

std::unique_ptr<Snapshot> ServedWeights::copy_working_state() {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->state.resize(bytes_);
  std::memcpy(snapshot->state.data(), working_state_(), bytes_);
  snapshot->version = version_.load(std::memory_order_relaxed);
  return snapshot;
}

void ServedWeights::publish() {
  Reader* const reader = take_reader();
  protect(*reader);
  unprotect(*reader);
  release_reader(reader);
}

Reader* ServedWeights::take_reader() {
  for (Reader* reader = readers_.load(std::memory_order_acquire); reader != nullptr; reader = reader->next) {
    if (reader->taken.load(std::memory_order_relaxed) || reader->taken.exchange(true, std::memory_order_acquire))
      continue;
    std::atomic_ref(reader->control.stop).store(0, std::memory_order_relaxed);
    return reader;
  }
  auto reader = std::make_unique<Reader>();
  reader->taken.store(true, std::memory_order_relaxed);
  reader->workspace.resize(workspace_bytes_);
  reader->next = readers_.load(std::memory_order_relaxed);
  while (!readers_.compare_exchange_weak(reader->next, reader.get(), std::memory_order_seq_cst)) {
  }
  return reader.release();
}

const std::byte* ServedWeights::protect_state(Reader& reader) {
  const Snapshot* const snapshot = protect(reader);
  return snapshot == nullptr ? nullptr : snapshot->state.data();
}

const std::byte* ServedWeights::protect_weights(Reader& reader) {
  const Snapshot* const snapshot = protect(reader);
  if (snapshot == nullptr) return nullptr;
  if (!packed_.in_groups()) return snapshot->state.data();
  const Bytes* packed = snapshot->packed.load(std::memory_order_acquire);
  if (packed == nullptr) {
    auto made = std::make_unique<Bytes>(packed_.bytes);
    copy_packed(packed_, snapshot->state, *made);
    // Where several threads do so, the first one wins.
    if (snapshot->packed.compare_exchange_strong(packed, made.get(), std::memory_order_acq_rel))
      packed = made.release();
  }
  return packed->data();
}

const Snapshot* ServedWeights::protect(Reader& reader) {
  const Snapshot* snapshot = current_.load(std::memory_order_acquire);
  const Snapshot* unused = nullptr;
  if (!reader.hazard.compare_exchange_strong(unused, snapshot, std::memory_order_seq_cst)) return nullptr;
  snapshot = settle(reader, snapshot);
  if (snapshot->version != version_.load(std::memory_order_acquire)) snapshot = refreshed(reader, snapshot);
  return snapshot;
}

// The hazard names `snapshot`; follows the current one until the hazard names what is current after it was set: from
// then on nobody frees it.
const Snapshot* ServedWeights::settle(Reader& reader, const Snapshot* snapshot) {
  while (true) {
    const Snapshot* const now = current_.load(std::memory_order_seq_cst);
    if (now == snapshot) return snapshot;
    snapshot = now;
    reader.hazard.store(snapshot, std::memory_order_seq_cst);
  }
}

// `snapshot`, which the reader protects, is older than the working state: puts a copy of that in its place. Where two
// threads do so the first one wins, and the other looks again.
const Snapshot* ServedWeights::refreshed(Reader& reader, const Snapshot* snapshot) {
  while (snapshot->version != version_.load(std::memory_order_acquire)) {
    std::int32_t others = copying_.load(std::memory_order_relaxed);
    if (others < 0) {
      wanted_.store(true, std::memory_order_relaxed);
      return snapshot;
    }
    if (!copying_.compare_exchange_weak(others, others + 1, std::memory_order_acquire)) continue;
    std::unique_ptr<Snapshot> copy = copy_working_state();
    copying_.fetch_sub(1, std::memory_order_release);
    const Snapshot* expected = snapshot;
    if (current_.compare_exchange_strong(expected, copy.get(), std::memory_order_seq_cst)) {
      const Snapshot* const old = snapshot;
      reader.hazard.store(copy.get(), std::memory_order_seq_cst);
      static_cast<void>(copy.release());  // everybody's now
      retire(old);
    }
    snapshot = settle(reader, reader.hazard.load(std::memory_order_relaxed));
  }
  return snapshot;
}

void ServedWeights::retire(const Snapshot* snapshot) {
  // Only its list entry changes; readers look at the rest.
  auto* const entry = const_cast<Snapshot*>(snapshot);
  entry->next = retired_.load(std::memory_order_relaxed);
  while (!retired_.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel)) {
  }
  free_unused();
}

bool ServedWeights::is_protected(const Snapshot* snapshot) const {
  for (const Reader* reader = readers_.load(std::memory_order_seq_cst); reader != nullptr; reader = reader->next) {
    if (reader->hazard.load(std::memory_order_seq_cst) == snapshot) return true;
  }
  return false;
}

// Those that are still protected are left to whoever comes next.
void ServedWeights::free_unused() {
  const std::unique_lock lock(freeing_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  Snapshot* list = retired_.exchange(nullptr, std::memory_order_acq_rel);
  while (list != nullptr) {
    Snapshot* const snapshot = std::exchange(list, list->next);
    if (!is_protected(snapshot)) {
      delete snapshot;
      continue;
    }
    snapshot->next = retired_.load(std::memory_order_relaxed);
    while (!retired_.compare_exchange_weak(snapshot->next, snapshot, std::memory_order_acq_rel)) {
    }
  }
}

void ServedWeights::stop_readers() {
  for (Reader* reader = readers_.load(std::memory_order_acquire); reader != nullptr; reader = reader->next) {
    if (reader->taken.load(std::memory_order_relaxed))
      std::atomic_ref(reader->control.stop).store(1, std::memory_order_relaxed);
  }
}

}  // namespace tarn
