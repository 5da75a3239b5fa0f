/* Trains and runs a compiled model `m` with one input x, one target t and one output y, and writes the bytes of all
 * results to the file named on the command line: losses of 1,000 steps, loss and metrics of an epoch in reverse order,
 * of an evaluation, outputs, the state. compile_test.cpp does the same with the code in memory. */
#include <stdio.h>

#include "m.h"

#define ROWS (2 * M_BATCH + 3)
#define STEPS 1000

static float x[ROWS * M_X_SIZE], t[ROWS * M_T_SIZE], y[ROWS * M_Y_SIZE], losses[STEPS];
static unsigned char memory[M_STATE_BYTES + M_WORKSPACE_BYTES + 2 * M_ALIGNMENT];

static unsigned char* aligned(unsigned char* address) {
  return address + (M_ALIGNMENT - (uintptr_t)address % M_ALIGNMENT) % M_ALIGNMENT;
}

int main(int argc, char** argv) {
  unsigned char* const state = aligned(memory);
  unsigned char* const workspace = aligned(state + M_STATE_BYTES);
  float metrics[2 * (M_METRICS + 1)];
  uint32_t order[ROWS];
  m_control control = {0};
  FILE* file;
  size_t i;
  if (argc != 2) return 2;
  for (i = 0; i < ROWS * M_X_SIZE; ++i) x[i] = (float)(i * 37 % 64) / 64.0f - 0.25f;
  for (i = 0; i < ROWS * M_T_SIZE; ++i) t[i] = i % M_T_SIZE == i / M_T_SIZE % M_T_SIZE ? 1.0f : 0.0f;
  for (i = 0; i < ROWS; ++i) order[i] = (uint32_t)(ROWS - 1 - i);
  for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); ++i) metrics[i] = 0;

  m_init(state, 7);
  if (m_check(state, sizeof(memory) - M_WORKSPACE_BYTES - 2 * M_ALIGNMENT) != M_GOOD) return 3;
  for (i = 0; i < STEPS; ++i) {
    const size_t first = i * 7 % M_BATCH;
    losses[i] = m_train_step(state, workspace, x + first * M_X_SIZE, t + first * M_T_SIZE, 1 + i % M_BATCH);
  }
  metrics[0] = m_train_epoch(state, workspace, x, t, order, ROWS, metrics + 1, &control);
  if (control.batches_done != 3) return 4;
  metrics[M_METRICS + 1] = m_evaluate(state, workspace, x, t, ROWS, metrics + M_METRICS + 2);
  m_predict(state, workspace, x, y, ROWS);

  file = fopen(argv[1], "wb");
  if (file == NULL) return 5;
  fwrite(losses, sizeof(losses), 1, file);
  fwrite(metrics, sizeof(metrics), 1, file);
  fwrite(y, sizeof(y), 1, file);
  fwrite(state, M_STATE_BYTES, 1, file);
  return fclose(file) == 0 ? 0 : 6;
}
