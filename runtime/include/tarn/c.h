/* The C API of Tarn: compile a model file in memory, train it, predict with it. tarn/tarn.h wraps it for C++.
 *
 *   tarn_model* model = NULL;
 *   tarn_session* session = NULL;
 *   if (tarn_compile_file("iris.tarn", NULL, &model) != TARN_OK) puts(tarn_error_message());
 *   else if (tarn_session_create(model, NULL, &session) != TARN_OK) puts(tarn_error_message());
 *
 * Conventions. Functions that can fail return a tarn_status; after any but TARN_OK, tarn_error_message() of the same
 * thread says why, nothing was changed and nothing was written (but steps of tarn_session_fit stay that were taken
 * before one that was not finite). A null pointer, an unknown name, a wrong shape or type,
 * memory that is too small or misaligned: all are TARN_INVALID, unless a comment says that null is allowed. Structures
 * of options begin with their own size (`tarn_fit_options options = {sizeof options};`); a field that is zero means its
 * default, and null options mean all defaults. Nothing here prints, keeps a pointer to the caller's arrays or strings
 * beyond the call, or ends the process for a wrong argument. Callbacks return; they do not throw. (Enumerations are
 * int32_t: a wrong number is an error, too.)
 *
 * Threads. Models may be shared. On one session any number of threads may predict, evaluate, ask for progress and stop
 * at the same time, also while one of them trains or loads. The functions that change a session or read its tensors
 * take turns; while one trains, the others return TARN_BUSY. Handles are freed once, after their last use.
 */
#ifndef TARN_C_H
#define TARN_C_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TARN_API __attribute__((visibility("default")))
#else
#define TARN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TARN_OK = 0,
  TARN_INVALID = 1,    /* an argument is wrong */
  TARN_COMPILE = 2,    /* the model file has errors */
  TARN_DATA = 3,       /* a file of weights or data is missing, malformed or of another model */
  TARN_SYSTEM = 4,     /* the machine failed: no memory, no room on the disk, an I/O error */
  TARN_BUSY = 5,       /* the session is training in another call */
  TARN_STOPPED = 6,    /* tarn_session_stop ended the call; its results are incomplete */
  TARN_NOT_FINITE = 7, /* a NaN or an infinity: in the data or values of a call, in initial values, or in the loss or
                          an update of training, which ended then; nothing of it is stored */
  TARN_BUG = 8         /* a fault of Tarn itself */
};
typedef int32_t tarn_status;

/* "0.1.0". */
TARN_API const char* tarn_version(void);

/* ---- Errors and logs ---- */

enum { TARN_ERROR = 0, TARN_WARNING = 1, TARN_NOTE = 2 };
typedef int32_t tarn_severity;

typedef struct tarn_diagnostic {
  tarn_severity severity;        /* notes belong to the error or warning before them */
  uint32_t line, column, length; /* from 1, in code points; 0: no place */
  const char* file;              /* "" where there is no place */
  const char* message;
  const char* label; /* stands behind the carets; may be "" */
} tarn_diagnostic;

/* What went wrong in the last call of this thread that failed: all diagnostics, with their lines and carets. Valid
 * until the thread's next call that fails; "" before the first. */
TARN_API const char* tarn_error_message(void);
/* The same as a list. */
TARN_API size_t tarn_error_count(void);
TARN_API tarn_status tarn_error_get(size_t index, tarn_diagnostic* diagnostic);

/* A sink for warnings and remarks of a model and its sessions; `severity` is TARN_WARNING or TARN_NOTE. Called in the
 * thread that makes the call. */
typedef void (*tarn_log_function)(void* context, tarn_severity severity, const char* message);

/* ---- Models ---- */

typedef struct tarn_model tarn_model;

enum { TARN_F32 = 0, TARN_F64 = 1, TARN_I32 = 2, TARN_BOOL = 3 };
typedef int32_t tarn_dtype;

typedef struct tarn_setting {
  const char* key;   /* a `const` of the file, or a key of its train block: "width", "epochs", "optimizer.lr" */
  const char* value; /* an expression: "32", "adam(lr = 0.01)" */
} tarn_setting;

typedef struct tarn_compile_options {
  size_t size;
  const tarn_setting* settings;
  size_t setting_count;
  tarn_dtype float_type; /* TARN_F32 or TARN_F64: the default float type of the whole model */
  int fast_math;         /* not 0: sums may be taken in another order */
  const char* cpu;       /* null: this machine's */
  tarn_log_function log;
  void* log_context;
  /* A file of weights or a checkpoint, or null: the constants that are noted in it are settings, too, as for `tarn
   * --weights`; those of `settings` win. */
  const char* weights;
} tarn_compile_options;

/* Compiles a model file, or a text that diagnostics call `name` and whose imports and data are relative to name's
 * folder. A model stays alive while sessions use it, also after tarn_model_free. */
TARN_API tarn_status tarn_compile_file(const char* path, const tarn_compile_options* options, tarn_model** model);
TARN_API tarn_status tarn_compile_text(const char* name, const char* text, size_t length,
                                       const tarn_compile_options* options, tarn_model** model);
TARN_API void tarn_model_free(tarn_model* model); /* null: nothing */

enum {
  TARN_INPUT = 0,
  TARN_TARGET = 1,
  TARN_SAMPLE_WEIGHT = 2,
  TARN_OUTPUT = 3,
  TARN_PARAMETER = 4, /* trained; saved with the weights */
  TARN_STATE = 5,     /* statistics and the like of layers; saved with the weights */
  TARN_SLOT = 6,      /* memory of the optimizer */
  TARN_HYPER = 7,     /* hyper-parameters such as "optimizer.lr": f64 scalars */
  TARN_COUNTER = 8,   /* "step" and "epoch": f64 scalars */
  TARN_METRIC = 9     /* what training reports, in order; "loss" is the first */
};
typedef int32_t tarn_kind;

typedef struct tarn_info {
  const char* name;     /* lives as long as the model */
  const int64_t* shape; /* of one sample, where the kind has samples; lives as long as the model */
  size_t rank;
  size_t elements; /* the product of the shape */
  tarn_kind kind;
  tarn_dtype dtype;
  int trainable;
} tarn_info;

typedef struct tarn_settings {
  int64_t epochs, batch;
  double validation_split;
  double compile_milliseconds;
  int trainable; /* whether the file has a train block */
} tarn_settings;

TARN_API const char* tarn_model_name(const tarn_model* model); /* null for a null model */
TARN_API size_t tarn_model_count(const tarn_model* model, tarn_kind kind);
/* Number `index` of the given kind, in the order of declaration. */
TARN_API tarn_status tarn_model_info(const tarn_model* model, tarn_kind kind, size_t index, tarn_info* info);
TARN_API tarn_status tarn_model_settings(const tarn_model* model, tarn_settings* settings);

/* ---- Arrays of the caller ---- */

/* A view of an array: never written, and not copied where the samples lie densely one behind the other. The shape is
 * [samples, shape of one sample…]; a flat view of whole samples will do as well. `data` is aligned to its type. */
typedef struct tarn_view {
  const void* data;
  const int64_t* shape;
  const int64_t* strides; /* in bytes, one an axis; null: dense, row-major */
  size_t rank;
  tarn_dtype dtype;
} tarn_view;

typedef struct tarn_array {
  const char* name; /* of an input, target or sample weight */
  tarn_view view;
} tarn_array;

/* Memory for one output: `bytes` of it, at least samples x size of one, aligned to its type. */
typedef struct tarn_output {
  const char* name;
  void* data;
  size_t bytes;
  tarn_dtype dtype;
} tarn_output;

/* ---- Sessions ---- */

typedef struct tarn_session tarn_session;

typedef struct tarn_session_options {
  size_t size;
  uint64_t seed;
  int has_seed; /* 0: the seed of the file's train block */
  int threads;  /* that native code may use; 0: as many as are useful. Results do not depend on it. */
} tarn_session_options;

/* A session: the weights of a model, drawn from the seed, and all that training remembers. */
TARN_API tarn_status tarn_session_create(const tarn_model* model, const tarn_session_options* options,
                                         tarn_session** session);
/* Not while other threads are in calls on it. Its predictors live on. Null: nothing. */
TARN_API void tarn_session_free(tarn_session* session);

/* What an epoch gave: `values` and `validation` (null: none) have the numbers of all metrics, one behind the other. */
typedef struct tarn_epoch {
  int64_t epoch, epochs; /* this one, from 1; the last one that is planned */
  double seconds;
  const double* values;
  const double* validation;
  size_t value_count;
} tarn_epoch;

typedef struct tarn_fit_options {
  size_t size;
  int64_t epochs;      /* so many more; 0: as many as the file says, or until_epoch */
  int64_t until_epoch; /* until the session has done so many in all (after tarn_session_resume); 0: see epochs */
  int keep_order;      /* not 0: rows are not shuffled. Otherwise as the file says. */
  const tarn_array* validation; /* null: the file's validation_split, cut off the end */
  size_t validation_count;
  /* 0 ends training. May call functions on the session, but none that trains, initializes or resumes (TARN_BUSY). */
  int (*on_epoch)(void* context, const tarn_epoch* epoch);
  void* context;
} tarn_fit_options;

enum {
  TARN_COMPLETED = 0,
  TARN_STOPPED_EARLY = 1, /* by the file's early_stopping */
  TARN_BY_CALLBACK = 2,
  TARN_BY_STOP = 3 /* by tarn_session_stop; the next call goes on in the middle of the epoch */
};
typedef int32_t tarn_end;

typedef struct tarn_fit_result {
  tarn_end end;
  int64_t epochs; /* done in this call, with one that goes on */
  uint64_t steps;
  double seconds;
} tarn_fit_result;

/* Trains on the arrays, one for each input, target and sample weight; without arrays (null, 0) on the file's `data`. A
 * stop is TARN_OK with `end` TARN_BY_STOP. The next call over as many rows, with the same `keep_order`, begins with the
 * first batch that was not done, also after tarn_session_checkpoint and tarn_session_resume, and its results have the
 * bits of training that was not stopped; the epoch is one of its `epochs`. It begins anew after other calls that train
 * or that set anything but a hyper-parameter. Checkpoints of the train block are written, relative to the folder of the
 * model file. Behind TARN_NOT_FINITE the weights are those of the best epoch where there is `restore_best`, else those
 * before the step at fault, in which elements with a finite new value may have that. `result` may be null. */
TARN_API tarn_status tarn_session_fit(tarn_session* session, const tarn_array* arrays, size_t count,
                                      const tarn_fit_options* options, tarn_fit_result* result);
/* One step of the optimizer on 1 to `batch` samples. `values` (null: not wanted) takes the metrics before the step. */
TARN_API tarn_status tarn_session_train_on_batch(tarn_session* session, const tarn_array* arrays, size_t count,
                                                 double* values, size_t value_count);
/* Loss and metrics; without arrays on the file's `data test` or `data`. */
TARN_API tarn_status tarn_session_evaluate(tarn_session* session, const tarn_array* arrays, size_t count,
                                           double* values, size_t value_count);
/* Fills the outputs that are named, at least one. Their memory must not overlap that of inputs or of each other. */
TARN_API tarn_status tarn_session_predict(tarn_session* session, const tarn_array* inputs, size_t input_count,
                                          const tarn_output* outputs, size_t output_count);

/* A parameter, state, slot, hyper-parameter or counter: copies all of it to or from the caller's memory. */
TARN_API tarn_status tarn_session_read(tarn_session* session, const char* name, tarn_dtype dtype, void* values,
                                       size_t bytes);
TARN_API tarn_status tarn_session_write(tarn_session* session, const char* name, const tarn_view* values);
/* The names of the classes of an input or target whose data are labels, or of those that an output tells apart (with
 * "class 2" for one without a label), in the order of their numbers, each with a 0 at its end; none before such data or
 * weights trained on them were read, and where labels are the numbers of their classes. `*bytes` is the room at
 * `names`, and becomes what they need; null names: they are only counted. */
TARN_API tarn_status tarn_session_classes(tarn_session* session, const char* input, char* names, size_t* bytes,
                                          size_t* count);
/* Draws the initial weights again; slots and counters start anew. */
TARN_API tarn_status tarn_session_initialize(tarn_session* session, uint64_t seed);

/* Weights, with the names of classes: safetensors, or npz where the path ends in ".npz". With weights that come from
 * elsewhere, and after training, labels that these names do not have are errors (TARN_DATA) of data. Weights that note
 * constants which the model was not compiled with (see tarn_compile_options) are an error. Predictions that run while
 * `load` swaps the weights use either the old ones or the new ones. Behind `load`, and where a state with an `adapt`
 * block was written, training does not fit such states to its data. */
TARN_API tarn_status tarn_session_save(tarn_session* session, const char* path);
TARN_API tarn_status tarn_session_load(tarn_session* session, const char* path);
/* All that a resumed run needs to give the bits of an uninterrupted one. Hyper-parameters are those of the checkpoint,
 * but for those that a setting of the model gives another value than the run before had; others that the file has
 * otherwise are logged. */
TARN_API tarn_status tarn_session_checkpoint(tarn_session* session, const char* path);
TARN_API tarn_status tarn_session_resume(tarn_session* session, const char* path);

/* Ends the training, evaluations and predictions that run on the session before their next batch; from any thread or
 * a signal handler. When no training runs, the next one ends at once. */
TARN_API tarn_status tarn_session_stop(tarn_session* session);

typedef struct tarn_progress {
  int64_t epoch, epochs;   /* that runs, from 1; 0 when nothing trains */
  uint64_t batch, batches; /* done in it, and all */
} tarn_progress;
TARN_API tarn_status tarn_session_progress(const tarn_session* session, tarn_progress* progress);

/* ---- The fast path ---- */

typedef struct tarn_predictor tarn_predictor;

/* Predicts with the current weights of its session, without allocating, locking or looking up names. Best one a thread
 * (others that use it at the same time are served more slowly). */
TARN_API tarn_status tarn_predictor_create(tarn_session* session, tarn_predictor** predictor);
TARN_API void tarn_predictor_free(tarn_predictor* predictor); /* null: nothing */
/* One dense array for each input and output, in the order of the model and in their types, aligned to them; outputs
 * must not overlap anything. */
TARN_API tarn_status tarn_predictor_run(tarn_predictor* predictor, const void* const* inputs, void* const* outputs,
                                        size_t samples);

#ifdef __cplusplus
}
#endif

#endif
