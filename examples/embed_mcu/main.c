/* Trains the model of digits.tarn where there are kilobytes, not gigabytes, of memory: on a microcontroller, or to the
 * same bits on the machine that compiles it. The digits lie in read-only memory as bytes, and are made floats a batch
 * at a time. See README.md.
 */
#include <stdint.h>
#include <stdio.h>

#include "digits.h"
#include "pixels.h" /* const unsigned char pixels[][DIGITS_X_SIZE + 1]: pixels of 0 to 16, and the class */

#ifndef EPOCHS
#define EPOCHS 6
#endif
enum { ROWS = sizeof(pixels) / sizeof(pixels[0]), TRAINING_ROWS = ROWS * 4 / 5 };

#if DIGITS_STATE_BYTES + DIGITS_WORKSPACE_BYTES > 65536
#error "state and workspace have more than 64 KiB"
#endif

/* Memory of the model must begin at a multiple of DIGITS_ALIGNMENT, for which C99 has no word: one such stretch more,
 * and the address rounded up. */
static unsigned char state_memory[DIGITS_STATE_BYTES + DIGITS_ALIGNMENT];
static unsigned char workspace_memory[DIGITS_WORKSPACE_BYTES + DIGITS_ALIGNMENT];
static float x[DIGITS_BATCH * DIGITS_X_SIZE], y[DIGITS_BATCH * DIGITS_Y_SIZE];
static int32_t t[DIGITS_BATCH];
static uint16_t order[TRAINING_ROWS];

static void* aligned(unsigned char* memory) {
  return memory + (DIGITS_ALIGNMENT - (uintptr_t)memory % DIGITS_ALIGNMENT) % DIGITS_ALIGNMENT;
}

/* Makes a digit sample `i` of the batch. */
static void put(size_t i, size_t row) {
  size_t k;
  for (k = 0; k < DIGITS_X_SIZE; ++k) x[i * DIGITS_X_SIZE + k] = (float)pixels[row][k] / 16.0f;
  t[i] = pixels[row][DIGITS_X_SIZE];
}

/* Fisher and Yates, on numbers of a linear congruential generator. */
static void shuffle(void) {
  static uint32_t random = 1;
  size_t i;
  for (i = TRAINING_ROWS; i > 1; --i) {
    size_t other;
    uint16_t kept;
    random = random * 1664525u + 1013904223u;
    other = (size_t)(random >> 8) % i;
    kept = order[i - 1];
    order[i - 1] = order[other];
    order[other] = kept;
  }
}

/* The mean loss of an epoch. */
static float train(void* state, void* workspace) {
  float sum = 0;
  size_t first, i;
  shuffle();
  for (first = 0; first < TRAINING_ROWS; first += DIGITS_BATCH) {
    const size_t left = TRAINING_ROWS - first, rows = left < DIGITS_BATCH ? left : DIGITS_BATCH;
    for (i = 0; i < rows; ++i) put(i, order[first + i]);
    sum += digits_train_step(state, workspace, x, t, rows) * (float)rows;
  }
  return sum / (float)TRAINING_ROWS;
}

/* How many of the digits behind those of training are taken for what they are. */
static unsigned right(const void* state, void* workspace) {
  unsigned count = 0;
  size_t first, i, k;
  for (first = TRAINING_ROWS; first < ROWS; first += DIGITS_BATCH) {
    const size_t left = ROWS - first, rows = left < DIGITS_BATCH ? left : DIGITS_BATCH;
    for (i = 0; i < rows; ++i) put(i, first + i);
    digits_predict(state, workspace, x, y, rows);
    for (i = 0; i < rows; ++i) {
      const float* const of_classes = y + i * DIGITS_Y_SIZE;
      size_t best = 0;
      for (k = 1; k < DIGITS_Y_SIZE; ++k) best = of_classes[k] > of_classes[best] ? k : best;
      count += best == (size_t)t[i];
    }
  }
  return count;
}

/* Of all bits of the state: the hash FNV-1a. */
static uint32_t hash(const unsigned char* bytes, size_t count) {
  uint32_t value = 2166136261u;
  while (count-- > 0) value = (value ^ *bytes++) * 16777619u;
  return value;
}

int main(void) {
  void* const state = aligned(state_memory);
  void* const workspace = aligned(workspace_memory);
  size_t i;
  int epoch;
  printf("%u bytes of state, %u of workspace\n", (unsigned)DIGITS_STATE_BYTES, (unsigned)DIGITS_WORKSPACE_BYTES);
  for (i = 0; i < TRAINING_ROWS; ++i) order[i] = (uint16_t)i;
  digits_init(state, 1);
  for (epoch = 1; epoch <= EPOCHS; ++epoch) printf("epoch %d: loss %.4f\n", epoch, train(state, workspace));
  printf("%u of %u digits that it has not seen\n", right(state, workspace), (unsigned)(ROWS - TRAINING_ROWS));
  printf("state %08lx\n", (unsigned long)hash((const unsigned char*)state, DIGITS_STATE_BYTES));
  return 0;
}
