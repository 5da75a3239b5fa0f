// See keras_words.h. Words are compared without case and underscores, as "BatchNormalization" and
// "batch_normalization".
#include "frontend/elaborate/keras_words.h"

#include <algorithm>
#include <cctype>

namespace tarn::elaboration {

namespace {

struct Word {
  std::string_view keras, ours;
};
// Those that have a name of ours with another spelling.
constexpr Word kNames[] = {
    {"learningrate", "lr"},
    {"kernelinitializer", "kernel_init"},
    {"biasinitializer", "bias_init"},
    {"betainitializer", "beta_init"},
    {"gammainitializer", "gamma_init"},
    {"alphainitializer", "alpha_init"},
    {"embeddingsinitializer", "init"},
    {"movingmeaninitializer", "moving_mean_init"},
    {"movingvarianceinitializer", "moving_var_init"},
    {"init", "kernel_init"},
    {"init", "depthwise_init"},
    {"outputdim", "units"},
    {"wregularizer", "kernel_regularizer"},
    {"bregularizer", "bias_regularizer"},
    {"wconstraint", "kernel_constraint"},
    {"p", "rate"},
    {"targetshape", "shape"},
    {"dims", "axes"},
    {"batchsize", "batch"},
    {"nbepoch", "epochs"},
    {"clipnorm", "clip_norm"},
    {"clipvalue", "clip_value"},
    {"globalclipnorm", "clip_global_norm"},
    {"restorebestweights", "restore_best"},
    {"batchnormalization", "batch_norm"},
    {"layernormalization", "layer_norm"},
    {"groupnormalization", "group_norm"},
    {"rmsnormalization", "rms_norm"},
    {"randomnormal", "normal"},
    {"randomuniform", "uniform"},
    {"spatialdropout", "spatial_dropout"},
    {"convolution1d", "conv1d"},
    {"convolution2d", "conv2d"},
    {"convolution3d", "conv3d"},
    {"atrousconvolution1d", "conv1d"},
    {"atrousconvolution2d", "conv2d"},
    {"deconvolution2d", "conv2d_transpose"},
    {"convolution1dtranspose", "conv1d_transpose"},
    {"convolution2dtranspose", "conv2d_transpose"},
    {"convolution3dtranspose", "conv3d_transpose"},
    {"depthwiseconvolution2d", "depthwise_conv2d"},
    {"separableconvolution1d", "separable_conv1d"},
    {"separableconvolution2d", "separable_conv2d"},
    {"maxpool1d", "max_pooling1d"},
    {"maxpool2d", "max_pooling2d"},
    {"maxpool3d", "max_pooling3d"},
    {"avgpool1d", "average_pooling1d"},
    {"avgpool2d", "average_pooling2d"},
    {"avgpool3d", "average_pooling3d"},
    {"globalmaxpool1d", "global_max_pooling1d"},
    {"globalmaxpool2d", "global_max_pooling2d"},
    {"globalmaxpool3d", "global_max_pooling3d"},
    {"globalavgpool1d", "global_average_pooling1d"},
    {"globalavgpool2d", "global_average_pooling2d"},
    {"globalavgpool3d", "global_average_pooling3d"},
    {"nbfilter", "filters"},
    {"filterlength", "kernel_size"},
    {"bordermode", "padding"},
    {"subsample", "strides"},
    {"subsamplelength", "strides"},
    {"atrousrate", "dilation_rate"},
    {"poollength", "pool_size"},
    {"stride", "strides"},
    {"depthwiseinitializer", "depthwise_init"},
    {"pointwiseinitializer", "pointwise_init"},
    {"multiheadattention", "multi_head_attention"},
    {"maxoutdense", "maxout"},
};

struct Advice {
  WordPlace place;
  std::string_view keras, text;
};
constexpr std::string_view kRecurrent = "recurrent layers are not supported yet";
constexpr std::string_view kLocal = "import keras2 has it, for a kernel at each place";
constexpr std::string_view kChannels =
    "channels are the last axis: transpose(x, [1, 2, 0]) turns [channels, height, width] around";
constexpr std::string_view kKernelSize = "both stand in one list: kernel_size = [rows, columns]";
constexpr std::string_view kBareNames = "functions and layers go by their own names alone: relu, l2(0.01)";
constexpr std::string_view kShape = "the model says what shape its input has: input x[3]";
constexpr std::string_view kAverages = "a line of the train block says so: ema(momentum = 0.99)";
constexpr Advice kAdvice[] = {
    {WordPlace::expression, "true", "it is written true"},
    {WordPlace::expression, "false", "it is written false"},
    {WordPlace::expression, "none", "it is written none"},
    {WordPlace::expression, "tf", kBareNames},
    {WordPlace::expression, "keras", kBareNames},
    {WordPlace::expression, "layers", kBareNames},
    {WordPlace::expression, "activations", kBareNames},
    {WordPlace::expression, "initializers", kBareNames},
    {WordPlace::expression, "regularizers", kBareNames},
    {WordPlace::expression, "constraints", kBareNames},
    {WordPlace::expression, "losses", kBareNames},
    {WordPlace::expression, "metrics", kBareNames},
    {WordPlace::expression, "optimizers", kBareNames},
    {WordPlace::expression, "sequential", "layers follow each other in a pipe: x |> dense(64, relu) |> dense(10)"},
    {WordPlace::expression, "lstm", kRecurrent},
    {WordPlace::expression, "gru", kRecurrent},
    {WordPlace::expression, "simplernn", kRecurrent},
    {WordPlace::expression, "bidirectional", kRecurrent},
    {WordPlace::expression, "locallyconnected1d", kLocal},
    {WordPlace::expression, "locallyconnected2d", kLocal},
    {WordPlace::argument, "inputshape", kShape},
    {WordPlace::argument, "inputdim", kShape},
    {WordPlace::argument, "inputlength", kShape},
    {WordPlace::argument, "batchinputshape", kShape},
    {WordPlace::argument, "batchshape", kShape},
    {WordPlace::argument, "dataformat", kChannels},
    {WordPlace::argument, "dimordering", kChannels},
    {WordPlace::argument, "nbrow", kKernelSize},
    {WordPlace::argument, "nbcol", kKernelSize},
    {WordPlace::argument, "outputshape", "it follows from the input, the strides and output_padding"},
    {WordPlace::argument, "name", "what it is bound to names it: hidden = dense(64)"},
    {WordPlace::argument, "trainable", "the train block names what stays as it is: freeze hidden"},
    {WordPlace::argument, "dtype", "--precision says the type of the whole model"},
    {WordPlace::argument, "decay",
     "a rate may be any schedule: lr = inverse_time_decay(step, 0.01, 1, 1e-6); import keras2 has decay"},
    {WordPlace::argument, "clipnorm", "a line of the train block says so: clip_norm 1"},
    {WordPlace::argument, "clipvalue", "a line of the train block says so: clip_value 0.5"},
    {WordPlace::argument, "globalclipnorm", "a line of the train block says so: clip_global_norm 1"},
    {WordPlace::argument, "weightdecay", "a line of the train block says so: weight_decay 0.004"},
    {WordPlace::argument, "useema", kAverages},
    {WordPlace::argument, "emamomentum", kAverages},
    {WordPlace::argument, "emaoverwritefrequency", kAverages},
    {WordPlace::argument, "gradientaccumulationsteps", "a line of the train block says so: accumulate 4"},
    {WordPlace::argument, "reduction",
     "a loss is the mean over the samples; a factor makes it another: 32 * mse(y, t)"},
    {WordPlace::setting, "callbacks",
     "early_stopping(…), reduce_on_plateau(…) and checkpoint(…) are lines of their own"},
    {WordPlace::setting, "validationdata",
     "a block of its own says where they are: data validation { csv \"validation.csv\" }"},
    {WordPlace::setting, "lossweights", "a loss is multiplied by its weight: loss 0.5 * mse(y, t)"},
    {WordPlace::setting, "verbose", "the command line says how much is shown: --quiet"},
    {WordPlace::setting, "lr", "it belongs to the optimizer: optimizer adam(lr = 0.001)"},
    {WordPlace::setting, "learningrate", "it belongs to the optimizer: optimizer adam(lr = 0.001)"},
};

std::string plain(std::string_view word) {
  std::string result;
  for (const char c : word) {
    if (c != '_') result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

}  // namespace

std::string name_for_keras(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = plain(word);
  const auto among = [&](auto matches) {
    const auto it = std::find_if(candidates.begin(), candidates.end(), matches);
    return it == candidates.end() ? std::string() : *it;
  };
  for (const Word& known : kNames) {
    if (known.keras != wanted) continue;
    if (std::string ours = among([&](const std::string& c) { return c == known.ours; }); !ours.empty()) return ours;
  }
  return among([&](const std::string& c) { return c != word && plain(c) == wanted; });
}

std::string advice_on_keras(std::string_view word, WordPlace place) {
  const std::string wanted = plain(word);
  for (const Advice& advice : kAdvice) {
    if (advice.place == place && advice.keras == wanted) return "; " + std::string(advice.text);
  }
  return "";
}

}  // namespace tarn::elaboration
