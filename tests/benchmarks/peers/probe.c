/* What the machine gives at this moment, and what a call of a compiled model costs. GNU C, -O3 -march=native.

   probe cores                               how many times the FMAs of one thread two do
   probe limits                              FMA peak of one core and of two threads, read bandwidth by size of data
   probe predict LIBRARY NAME SAMPLES SECONDS INPUTS OUTPUTS   seconds of a call; LIBRARY made by `tarn compile --functions init,pack`

   Prints one line: JSON, or a number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
typedef float vector __attribute__((vector_size(VECTOR_BYTES)));
#define LANES (VECTOR_BYTES / 4)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* GFLOP/s of multiply-adds in twelve chains that do not wait for each other. */
static double fma_rate(double seconds) {
  vector sums[12], factor, term;
  for (int lane = 0; lane < LANES; ++lane) factor[lane] = 0.999f, term[lane] = 0.001f;
  for (int i = 0; i < 12; ++i) sums[i] = term;
  const double start = now();
  double elapsed = 0;
  int64_t rounds = 0;
  while (elapsed < seconds) {
    vector a = sums[0], b = sums[1], c = sums[2], d = sums[3], e = sums[4], f = sums[5], g = sums[6], h = sums[7],
           i = sums[8], j = sums[9], k = sums[10], l = sums[11];
    for (int n = 0; n < 100000; ++n) {
      a = a * factor + term, b = b * factor + term, c = c * factor + term, d = d * factor + term;
      e = e * factor + term, f = f * factor + term, g = g * factor + term, h = h * factor + term;
      i = i * factor + term, j = j * factor + term, k = k * factor + term, l = l * factor + term;
      __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f));
      __asm__ volatile("" : "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d, sums[4] = e, sums[5] = f, sums[6] = g, sums[7] = h;
    sums[8] = i, sums[9] = j, sums[10] = k, sums[11] = l;
    rounds += 100000;
    elapsed = now() - start;
  }
  volatile float sink = 0;
  for (int n = 0; n < 12; ++n) sink = sink + sums[n][0];
  return 2.0 * 12 * LANES * (double)rounds / elapsed * 1e-9;
}

/* In: seconds; out: GFLOP/s. */
static void* fma_thread(void* value) {
  *(double*)value = fma_rate(*(double*)value);
  return NULL;
}

static double fma_rate_of_two(double seconds) {
  pthread_t threads[2];
  double rates[2] = {seconds, seconds};
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, fma_thread, &rates[i]);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  return rates[0] + rates[1];
}

/* GB/s of reading `bytes` over and over. */
static double read_rate(size_t bytes, double seconds) {
  vector* const data = aligned_alloc(4096, bytes);
  memset(data, 0, bytes);
  const size_t count = bytes / sizeof(vector);
  vector a = {0}, b = {0}, c = {0}, d = {0};
  double best = 0, elapsed = 0;
  const double start = now();
  while (elapsed < seconds) {
    const size_t repeats = bytes < (1 << 22) ? (1 << 24) / bytes : 1;
    const double begin = now();
    for (size_t repeat = 0; repeat < repeats; ++repeat) {
      for (size_t i = 0; i + 8 <= count; i += 8) {
        a += data[i] + data[i + 1];
        b += data[i + 2] + data[i + 3];
        c += data[i + 4] + data[i + 5];
        d += data[i + 6] + data[i + 7];
      }
      __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d) : : "memory");
    }
    const double end = now();
    const double rate = (double)(bytes * repeats) / (end - begin) * 1e-9;
    if (rate > best) best = rate;
    elapsed = end - start;
  }
  free(data);
  return best;
}

static int limits(void) {
  printf("{\"fma\": %.1f, \"fma2\": %.1f, \"l1\": %.1f, \"l2\": %.1f, \"l3\": %.1f, \"dram\": %.1f}\n", fma_rate(0.3),
         fma_rate_of_two(0.3), read_rate(16 << 10, 0.1), read_rate(512 << 10, 0.1), read_rate(6 << 20, 0.2),
         read_rate((size_t)256 << 20, 0.5));
  return 0;
}

typedef size_t (*size_function)(void);
typedef void (*init_function)(void*, uint64_t);
typedef void (*pack_function)(const void*, void*);
typedef void (*predict_function)(const void*, void*, const float*, float*, size_t);

static void* symbol(void* library, const char* name, const char* suffix) {
  char text[256];
  snprintf(text, sizeof text, "%s_%s", name, suffix);
  void* const found = dlsym(library, text);
  if (found == NULL) fprintf(stderr, "no function %s\n", text), exit(1);
  return found;
}

/* Interface: one input of x_size, one output of y_size floats. */
static int predict(const char* path, const char* name, size_t samples, double seconds, size_t x_size, size_t y_size) {
  void* const library = dlopen(path, RTLD_NOW);
  if (library == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
  const size_function state_bytes = (size_function)symbol(library, name, "state_bytes");
  const size_function workspace_bytes = (size_function)symbol(library, name, "workspace_bytes");
  const size_function packed_bytes = (size_function)symbol(library, name, "packed_bytes");
  const init_function init = (init_function)symbol(library, name, "init");
  const pack_function pack = (pack_function)symbol(library, name, "pack");
  const predict_function call = (predict_function)symbol(library, name, "predict_packed");
  void* const state = aligned_alloc(64, (state_bytes() + 63) / 64 * 64);
  void* const packed = aligned_alloc(64, (packed_bytes() + 63) / 64 * 64);
  void* const workspace = aligned_alloc(64, (workspace_bytes() + 127) / 64 * 64);
  float* const x = aligned_alloc(64, (samples * x_size * 4 + 63) / 64 * 64);
  float* const y = aligned_alloc(64, (samples * y_size * 4 + 63) / 64 * 64);
  for (size_t i = 0; i < samples * x_size; ++i) x[i] = (float)(i * 7 % 31) / 31;
  init(state, 1);
  pack(state, packed);
  call(packed, workspace, x, y, samples);
  double begin = now();
  call(packed, workspace, x, y, samples);
  const double once = now() - begin;
  const int64_t count = (int64_t)(seconds / (once > 1e-8 ? once : 1e-8)) + 3;
  begin = now();
  for (int64_t i = 0; i < count; ++i) call(packed, workspace, x, y, samples);
  printf("{\"seconds\": %.9g}\n", (now() - begin) / (double)count);
  return 0;
}

static int cores(void) {
  const double one = fma_rate(0.03), two = fma_rate_of_two(0.03);
  printf("%.2f\n", two / one);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "cores") == 0) return cores();
  if (argc == 2 && strcmp(argv[1], "limits") == 0) return limits();
  if (argc == 8 && strcmp(argv[1], "predict") == 0) {
    return predict(argv[2], argv[3], strtoull(argv[4], NULL, 10), strtod(argv[5], NULL), strtoull(argv[6], NULL, 10),
                   strtoull(argv[7], NULL, 10));
  }
  fprintf(stderr, "usage: probe cores | probe limits | probe predict LIBRARY NAME SAMPLES SECONDS INPUTS OUTPUTS\n");
  return 2;
}
