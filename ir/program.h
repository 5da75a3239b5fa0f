// A program: the tensor table of a model and the graphs that share it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace tarn {

enum class TensorKind : std::uint8_t {
  parameter,  // trained by gradients
  state,      // updated by `<-` in layers; saved with the weights
  slot,       // memory of the optimizer
  hyper,      // a hyper-parameter given as a number: f64 scalar, may be set while training
  counter,    // "step" and "epoch": f64 scalars; step is stored by the training graph, epoch by the runtime
  metric,     // an accumulator of the epoch; f64; lives in the workspace, not in the state, and starts anew each epoch
              // from `initial`
};
std::string_view name_of(TensorKind kind);

struct TensorInfo {
  std::string name;
  TensorKind kind = TensorKind::parameter;
  Type type;  // never per sample, no kBatch
  bool trainable = true;
  // hyper, counter, metric: the value at the start, everywhere. Parameters, states and slots start as the `init` graph
  // says.
  double initial = 0;
  // Byte offset in the state (or, for metrics, in the block of accumulators), 64-byte aligned; set by assign_offsets().
  std::uint64_t offset = 0;
  Span declared;
};

enum class InputRole : std::uint8_t { input, target, sample_weight };

// Which values an input or target may hold, as what reads it asks for. Data with others are an error where they enter.
struct ValueRange {
  enum class Kind : std::uint8_t {
    any,
    index,         // into a table of `count` rows: whole numbers from 0 to count - 1
    class_number,  // the same, of `count` classes
    probability,   // from 0 to 1
    sign,          // -1, 0 or 1
  };
  Kind kind = Kind::any;
  std::int64_t count = 0;
  // A class number that does not count (ignore_class), wherever it lies.
  std::optional<std::int64_t> ignored;

  // Whether the values are whole numbers from 0 to count - 1.
  bool counts() const { return kind == Kind::index || kind == Kind::class_number; }
  bool holds(double value) const;
  // "a class from 0 to 2": what an error says is wanted.
  std::string wanted() const;
  // Both ranges at once: what two readers of one input ask for.
  void narrow(const ValueRange& other);
  bool operator==(const ValueRange&) const = default;
};

struct InputInfo {
  std::string name;
  InputRole role = InputRole::input;
  Type type;          // per sample
  ValueRange values;  // of every element
  Span declared;
  // Where the elements of a sample differ, as where one column is an index: a range for each; else empty.
  std::vector<ValueRange> elements = {};

  const ValueRange& range_of(std::size_t element) const { return elements.empty() ? values : elements[element]; }
};

struct OutputInfo {
  std::string name;
  Type type;  // per sample
  // The target that a loss compares this output with, whose classes are those of the output; "" where there is none, or
  // more than one.
  std::string target;
  Span declared;
};

// Which values of a quantity are the better ones.
enum class Better : std::uint8_t { unknown, smaller, larger };

// What training reports, in order. Value names stand in the `report` graph as results of kind value.
struct MetricInfo {
  std::string name;  // "accuracy"; "loss" is always the first
  Shape shape;
  // "categorical_accuracy" where `accuracy` resolved to it; else equal to name.
  std::string resolved;
  // Of a loss: smaller; of a metric: what its declaration says.
  Better better = Better::unknown;
};

// What the `train` block says beside the graphs; times and counts of the training loop.
struct EarlyStopping {
  std::string monitor = "val_loss", mode = "auto";
  std::int64_t patience = 0, start_from_epoch = 0;
  double min_delta = 0;
  std::optional<double> baseline;
  bool restore_best = false;
};
struct ReduceOnPlateau {
  std::string monitor = "val_loss", mode = "auto";
  double factor = 0.1, min_delta = 1e-4, min_lr = 0;
  std::int64_t patience = 10, cooldown = 0;
};
struct CheckpointSetting {
  std::string path;
  std::int64_t every = 0;
  bool best = false;
  std::string monitor = "val_loss", mode = "auto";
};
struct TrainSettings {
  std::int64_t epochs = 1, batch = 32;
  bool shuffle = true;
  std::uint64_t seed = 0;
  double validation_split = 0;
  // `accumulate`: an update is made with every so many batches.
  std::int64_t batches_per_update = 1;
  // `ema`: at the end of training each trained parameter p becomes the slot "p.average", where there was an update.
  bool averages_weights = false;
  std::map<std::string, double> class_weight;  // by label or class number
  std::string class_weight_target;
  std::optional<EarlyStopping> early_stopping;
  std::optional<ReduceOnPlateau> reduce_on_plateau;
  std::vector<CheckpointSetting> checkpoints;
};

// One line of a `data` block: which part of the source is which input or target.
struct DataBinding {
  enum class Encoding : std::uint8_t { none, one_hot, ordinal };
  std::string name;  // of the input or target
  // Columns by name or number; a range "a".."d" has both ends. Empty: the whole array (npy, npz, idx).
  struct Column {
    std::string first, last;                         // names; last empty: one column
    std::int64_t first_index = -1, last_index = -1;  // numbers, end excluded as in 0..4
    Span span;
  };
  std::vector<Column> columns;
  std::string array;  // npz: name of the array in the file, when it is not `name`; images: kImage or kClass
  Encoding encoding = Encoding::none;
  std::int64_t classes = 0;  // one_hot(…, n): 0 means as many as there are labels
  double scale = 1;
  Span span;
};
// What a folder of images has for a sample: its values, and the folder that it stands in.
inline constexpr const char* kImage = "image";
inline constexpr const char* kClass = "class";
// How images are made samples.
struct ImageSettings {
  std::int64_t height = 0, width = 0;  // what they are resized to; 0: they stay as they are
  std::int64_t channels = 0;           // 1 or 3; 0: as the input has them
  bool skip_broken = false;
};
struct DataSource {
  std::string format;  // the name of one of data_formats.def
  // "" where one file holds all, else by the name of the input or target; relative to the model file.
  std::map<std::string, std::string> files;
  std::vector<DataBinding> bindings;
  std::optional<bool> header;
  char separator = 0;  // 0: found from the first line
  bool drop_missing = false;
  std::optional<std::uint64_t> shuffle_rows;
  ImageSettings images = {};
  Span span;
};
// The same binding to a folder of images: what it does not say of one, the role and the shape of its input do.
DataBinding image_binding(DataBinding binding, const InputInfo& input);

// A layer that was applied, for `summary`.
struct LayerInfo {
  std::string path;                  // "encoder.dense_1"
  std::string layer;                 // "dense"
  Shape output;                      // of one sample
  std::vector<std::string> tensors;  // its own parameters and states, not those of layers inside it
  int depth = 0;                     // 0: applied in the model itself
};

struct Program {
  std::string name;
  std::vector<InputInfo> inputs;  // inputs, then targets, in the order of declaration
  std::vector<OutputInfo> outputs;
  std::vector<TensorInfo> tensors;
  std::vector<MetricInfo> metrics;
  std::vector<LayerInfo> layers;  // in order of first application
  TrainSettings settings;
  std::map<std::string, DataSource> data;        // "" the training data, "validation", "test"
  std::map<std::string, std::string> constants;  // constants of the file overridden by --set, as written
  bool trainable = false;                        // the file has a train block

  // By the names of program_functions.def. Only "predict" and "init" are there always; "adapt" where a layer has one.
  std::map<std::string, Graph> graphs;

  const TensorInfo* find_tensor(std::string_view name) const;
  const InputInfo* find_input(std::string_view name) const;
};

// Blocks of memory and all that lies in them begin at multiples of this: a cache line, and the widest vector.
inline constexpr std::uint64_t kAlignment = 64;
constexpr std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
// Bytes of a value; of one sample, where it depends on the sample.
std::uint64_t sample_bytes(const Type& type);

// Gives every tensor its offset, aligned, in table order after a header of kStateHeaderBytes.
void assign_offsets(Program& program);
inline constexpr std::uint64_t kStateHeaderBytes = 64;
// Bytes of the whole state (header, and every tensor but metrics) and of the accumulators. Offsets are assigned.
std::uint64_t state_bytes(const Program& program);
std::uint64_t metric_bytes(const Program& program);
// Hash of names, kinds, types and offsets: two programs with the same layout can exchange states.
std::uint64_t layout_hash(const Program& program);

}  // namespace tarn
