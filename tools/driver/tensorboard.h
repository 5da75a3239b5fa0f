// Event files for TensorBoard: scalars of each epoch, as Keras's callback names them ("epoch_loss" in the folders
// `train` and `validation`).
//
// The format: records of TFRecord (tensorflow/core/lib/io/record_writer.cc) that hold Event messages of protocol
// buffers (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/training/training.h"

namespace tarn {

// CRC-32C (Castagnoli), RFC 3720 appendix B.4.
std::uint32_t crc32c(std::string_view bytes);
// One record: length, its masked checksum, the bytes, their masked checksum.
std::string tensorboard_record(std::string_view event);
// An Event of that time (seconds) and step with one scalar.
std::string tensorboard_scalar(double time, std::int64_t step, std::string_view tag, float value);

class TensorBoardLog {
 public:
  explicit TensorBoardLog(std::string folder) : folder_(std::move(folder)) {}
  // Appends the losses and metrics of an epoch; the files are made with the first one.
  Status add(const Program& program, const EpochReport& report);

 private:
  Status append(const std::string& part, const Program& program, const MetricValues& values, std::int64_t epoch);
  std::string folder_;
  std::string file_name_;  // of this run, the same in each part
};

}  // namespace tarn
