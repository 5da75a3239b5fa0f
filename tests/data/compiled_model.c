/* Trains and runs a compiled model `m` with one input x, one target t and one output y, and writes the bytes of all
 * results to the file named on the command line: losses of STEPS steps, loss and metrics of an epoch in reverse order,
 * of an evaluation, outputs, the state. compile_test.cpp does the same with the code in memory. All memory that the
 * model is given ends, or with a second argument begins, at a page without access. Prediction has a workspace of its
 * own, and is done once more with packed weights. */
#include "guarded_memory.h"

#include <stdio.h>

#include "m.h"

#define ROWS (2 * M_BATCH + 3)
#ifndef STEPS
#define STEPS 1000
#endif

static float losses[STEPS];

static void backwards(void* context, size_t count, void (*body)(void*, size_t), void* argument) {
  (void)context;
  while (count > 0) body(argument, --count);
}

int main(int argc, char** argv) {
  const int at_front = argc > 2;
  void* const state = guarded(M_STATE_BYTES, at_front);
  void* const workspace = guarded(M_WORKSPACE_BYTES, at_front);
  void* const predict_workspace = guarded(M_PREDICT_WORKSPACE_BYTES, at_front);
  float* const x = (float*)guarded(ROWS * M_X_SIZE * sizeof(float), at_front);
  float* const t = (float*)guarded(ROWS * M_T_SIZE * sizeof(float), at_front);
  float* const y = (float*)guarded(ROWS * M_Y_SIZE * sizeof(float), at_front);
  float* const metrics = (float*)guarded(2 * (M_METRICS + 1) * sizeof(float), at_front);
  uint32_t* const order = (uint32_t*)guarded(ROWS * sizeof(uint32_t), at_front);
  m_control control = {0};
  FILE* file;
  size_t i;
  if (argc < 2 || !state || !workspace || !predict_workspace || !x || !t || !y || !metrics || !order) return 2;
  for (i = 0; i < ROWS * M_X_SIZE; ++i) x[i] = (float)(i * 37 % 64) / 64.0f - 0.25f;
  for (i = 0; i < ROWS * M_T_SIZE; ++i) t[i] = i % M_T_SIZE == i / M_T_SIZE % M_T_SIZE ? 1.0f : 0.0f;
  for (i = 0; i < ROWS; ++i) order[i] = (uint32_t)(ROWS - 1 - i);

  /* What is between tensors is written to the file, too. */
  memset(state, 0, M_STATE_BYTES);
  m_init(state, 7);
  if (m_check(state, M_STATE_BYTES) != M_GOOD) return 3;
  for (i = 0; i < STEPS; ++i) {
    /* Up to the last row there is, and every third time from the first one on. */
    const size_t rows = 1 + i % M_BATCH, first = i % 3 == 0 ? 0 : ROWS - rows;
    losses[i] = m_train_step(state, workspace, x + first * M_X_SIZE, t + first * M_T_SIZE, rows);
  }
  control.threads = M_THREADS;
  control.parallel_for = backwards;
  metrics[0] = m_train_epoch(state, workspace, x, t, order, ROWS, metrics + 1, &control);
  if (control.batches_done != (ROWS + M_BATCH - 1) / M_BATCH) return 4;
  metrics[M_METRICS + 1] = m_evaluate(state, workspace, x, t, ROWS, metrics + M_METRICS + 2);
  m_predict(state, predict_workspace, x, y, ROWS);
#ifdef M_PACKED_BYTES
  {
    const size_t bytes = ROWS * M_Y_SIZE * sizeof(float);
    void* const packed = guarded(M_PACKED_BYTES, at_front);
    float* const again = (float*)guarded(bytes, at_front);
    if (!packed || !again) return 2;
    m_pack(state, packed);
    if (m_check_packed(packed, M_PACKED_BYTES) != M_GOOD) return 7;
    m_predict_packed(packed, predict_workspace, x, again, ROWS);
    if (memcmp(again, y, bytes) != 0) return 8;
  }
#endif

  file = fopen(argv[1], "wb");
  if (file == NULL) return 5;
  fwrite(losses, sizeof(losses), 1, file);
  fwrite(metrics, (M_METRICS + 1) * sizeof(float), 2, file);
  fwrite(y, ROWS * M_Y_SIZE * sizeof(float), 1, file);
  fwrite(state, M_STATE_BYTES, 1, file);
  return fclose(file) == 0 ? 0 : 6;
}
