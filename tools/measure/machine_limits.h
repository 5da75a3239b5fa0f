// What this machine can do, measured with generated code: the roofline that `tarn bench` holds kernels against.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/native.h"

namespace tarn {

struct MachineLimits {
  double flops = 0;  // multiply-adds of f32 a second, as two each, of one core
  struct Bandwidth {
    double bytes = 0;  // of the data that were read again and again
    double bytes_per_second = 0;
  };
  std::vector<Bandwidth> reads;  // by size

  // Of so many cores together: only memory itself, the last of the reads, is not there once for each.
  MachineLimits of_cores(int cores) const;

  // The least seconds that so much work takes: by arithmetic, or by memory of the kind that holds so many bytes.
  double least_seconds(double flops, double bytes) const;
  double bandwidth_of(double bytes) const;
};

Result<MachineLimits> measure_limits(const CodegenOptions& options);

}  // namespace tarn
