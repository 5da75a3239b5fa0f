/* Trains and uses the model of ../iris.tarn from C: no library is needed but libc, and no memory but what stands here.
 *
 *   make && ./flowers
 */
#include <stdio.h>

#include "iris.h"

enum { ROWS = 150, EPOCHS = 1000 };

/* Memory of the model must begin at a multiple of IRIS_ALIGNMENT, for which C99 has no word: one such stretch more, and
 * the address rounded up. */
static unsigned char state_memory[IRIS_STATE_BYTES + IRIS_ALIGNMENT];
static unsigned char workspace_memory[IRIS_WORKSPACE_BYTES + IRIS_ALIGNMENT];
static float x[ROWS * IRIS_X_SIZE], t[ROWS * IRIS_T_SIZE];
static uint32_t order[ROWS];

static void* aligned(unsigned char* memory) {
  return memory + (IRIS_ALIGNMENT - (uintptr_t)memory % IRIS_ALIGNMENT) % IRIS_ALIGNMENT;
}

/* Reads the data of the model: four numbers and the name of a class in each line. Returns the number of rows. */
static size_t read_rows(const char* path) {
  size_t classes, rows = 0;
  const char* const* names = iris_class_names(&classes);
  char line[256], name[64];
  FILE* file = fopen(path, "r");
  if (file == NULL) return 0;
  while (rows < ROWS && fgets(line, sizeof(line), file) != NULL) {
    float* in = x + rows * IRIS_X_SIZE;
    size_t k, i;
    if (sscanf(line, "%f,%f,%f,%f,%63[a-z]", in, in + 1, in + 2, in + 3, name) != 5) continue; /* the header */
    for (k = 0; k < classes && k < IRIS_T_SIZE; ++k) {
      for (i = 0; name[i] == names[k][i] && name[i] != 0; ++i) continue;
      t[rows * IRIS_T_SIZE + k] = name[i] == names[k][i] ? 1.0f : 0.0f;
    }
    ++rows;
  }
  fclose(file);
  return rows;
}

/* Fisher and Yates, on numbers of a linear congruential generator. */
static void shuffle(size_t rows) {
  static uint32_t random = 1;
  size_t i;
  for (i = rows; i > 1; --i) {
    size_t other;
    uint32_t kept;
    random = random * 1664525u + 1013904223u;
    other = (size_t)(random >> 8) % i;
    kept = order[i - 1];
    order[i - 1] = order[other];
    order[other] = kept;
  }
}

int main(int argc, char** argv) {
  void* const state = aligned(state_memory);
  void* const workspace = aligned(workspace_memory);
  const float flower[IRIS_X_SIZE] = {5.1f, 3.5f, 1.4f, 0.2f};
  float y[IRIS_Y_SIZE], metrics[IRIS_METRICS], loss;
  const size_t rows = read_rows(argc > 1 ? argv[1] : "../iris.csv");
  const char* const* names = iris_class_names(NULL);
  size_t i;
  int epoch;
  if (rows == 0) {
    fprintf(stderr, "usage: flowers [iris.csv]\n");
    return 1;
  }
  for (i = 0; i < rows; ++i) order[i] = (uint32_t)i;
  iris_init(state, 1);
  for (epoch = 0; epoch < EPOCHS; ++epoch) {
    shuffle(rows);
    iris_train_epoch(state, workspace, x, t, order, rows, NULL, NULL);
  }
  loss = iris_evaluate(state, workspace, x, t, rows, metrics);
  printf("%u flowers: loss %.4f, accuracy %.4f\n", (unsigned)rows, loss, metrics[0]);
  iris_predict(state, workspace, flower, y, 1);
  for (i = 0; i < IRIS_Y_SIZE; ++i) printf("%-12s %.4f\n", names[i], y[i]);
  return 0;
}
