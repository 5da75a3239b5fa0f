// See guarded_arrays.h.
#include "tests/support/compiler/guarded_arrays.h"

#include <algorithm>

#include "ir/random.h"

namespace tarn {

namespace testing {

namespace {

using test::GuardedEnd;

constexpr int kDrawn = -1;
thread_local int chosen_end = kDrawn;

GuardedEnd next_end() {
  static std::atomic<std::uint64_t> number = 0;
  if (chosen_end != kDrawn) return static_cast<GuardedEnd>(chosen_end);
  return mix_bits(number++) % 2 == 0 ? GuardedEnd::back : GuardedEnd::front;
}

}  // namespace

GuardAt::GuardAt(GuardedEnd end) : before_(chosen_end) { chosen_end = static_cast<int>(end); }
GuardAt::~GuardAt() { chosen_end = before_; }

ArrayBytes& array_bytes() {
  static ArrayBytes bytes;
  return bytes;
}

}  // namespace testing

void* allocate_aligned(std::size_t bytes) {
  void* const block = test::allocate_guarded(bytes, testing::next_end());
  testing::ArrayBytes& counted = testing::array_bytes();
  counted.now += bytes;
  counted.most = std::max(counted.most.load(), counted.now.load());
  return block;
}

void release_aligned(void* block, std::size_t bytes) {
  testing::array_bytes().now -= bytes;
  test::release_guarded(block, bytes);
}

}  // namespace tarn
