/* A compiled model m of x[2] and t[1] in batches of two, trained on rows whose step is not finite: one of
 * m_train_step and m_train_epoch must say so with a NaN, and no float of the state may be one. ROWS is the list of the
 * numbers in x; every target is 1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m.h"

static const float x[] = {ROWS};
enum { kRows = sizeof(x) / sizeof(x[0]) / 2, kSteps = kRows / M_BATCH };

static int is_finite_state(const char* state) {
  size_t count, i, k;
  const m_tensor_info* tensors = m_tensors(&count);
  for (i = 0; i < count; ++i) {
    for (k = 0; k < tensors[i].bytes; k += tensors[i].type == M_TYPE_F64 ? 8 : 4) {
      double value = 0;
      float single;
      if (tensors[i].type == M_TYPE_F64) {
        memcpy(&value, state + tensors[i].offset + k, sizeof(value));
      } else if (tensors[i].type == M_TYPE_F32) {
        memcpy(&single, state + tensors[i].offset + k, sizeof(single));
        value = single;
      }
      if (value - value != 0) {
        printf("%s holds %g\n", tensors[i].name, value);
        return 0;
      }
    }
  }
  return 1;
}

int main(void) {
  char* state = aligned_alloc(M_ALIGNMENT, M_STATE_BYTES);
  char* workspace = aligned_alloc(M_ALIGNMENT, M_WORKSPACE_BYTES);
  float t[kRows];
  int step, bad = 0, epoch;
  m_control control;
  for (step = 0; step < kRows; ++step) t[step] = 1;
  m_init(state, 1);
  for (epoch = 0; epoch < 3 && !bad; ++epoch) {
    for (step = 0; step < kSteps && !bad; ++step) {
      bad = isnan(m_train_step(state, workspace, x + 2 * M_BATCH * step, t + M_BATCH * step, M_BATCH));
    }
  }
  if (!bad) return printf("no step said that it is not finite\n"), 1;
  if (!is_finite_state(state)) return 1;
  m_init(state, 1);
  memset(&control, 0, sizeof(control));
  for (epoch = 0, bad = 0; epoch < 3 && !bad; ++epoch) {
    bad = isnan(m_train_epoch(state, workspace, x, t, NULL, kRows, NULL, &control));
  }
  if (!bad) return printf("no epoch said that it is not finite\n"), 1;
  if (control.batches_done >= kSteps) return printf("all batches are said to be done\n"), 1;
  if (!is_finite_state(state)) return 1;
  free(state);
  free(workspace);
  return 0;
}
