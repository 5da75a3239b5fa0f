// safetensors: the format of weights. Format: https://github.com/huggingface/safetensors#format.
//
// Contract: any bytes may be given; what the reference implementation (0.4 and later) refuses is refused: a header of
// more than 100 MB, tensors that overlap, leave holes, or do not fill the file, duplicate names. Nothing is allocated
// before sizes agree.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/diagnostics.h"
#include "runtime/files/array.h"

namespace tarn {

struct Safetensors {
  std::vector<NamedArray> tensors;  // in the order of the header
  std::map<std::string, std::string> metadata;
};

// All element types of ArrayType; others of the format (F8_E4M3, F4, C64, …) are an error that names the tensor. `name`
// is what errors call the file.
Result<Safetensors> parse_safetensors(ByteView bytes, std::string_view name = "safetensors");
Result<Safetensors> read_safetensors(const std::string& path);

// Writes the tensors, in the given order, atomically. The header is padded with spaces to a multiple of 8, and wider
// elements stand first in the data, so that every tensor is aligned to its elements. Names must differ and not be
// "__metadata__"; bytes of names and metadata that are not UTF-8 become U+FFFD.
Status write_safetensors(const std::string& path, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata = {});

}  // namespace tarn
