// Data and weight files that end too early.
#include <gtest/gtest.h>

#include "runtime/files/npy.h"
#include "runtime/files/npz.h"
#include "runtime/files/safetensors.h"
#include "tests/support/compiler/data_files.h"

namespace tarn {
namespace {

using testing::data_folder;
using testing::load;

// Cut at every place, which is where readers run over the end.
TEST(DataFiles, CutFilesAreRefused) {
  for (const std::string name : {"fortran.npy", "version_2.npy", "stored.npz", "deflated.npz"}) {
    const Bytes whole = load(data_folder("npy/written") / name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ByteView part = ByteView(whole).first(size);
      EXPECT_FALSE(name.ends_with(".npz") ? parse_npz(part).has_value() : parse_npy(part).has_value())
          << name << " " << size;
    }
  }
  const Bytes weights = load(data_folder("safetensors") / "ok_i32_2x2.safetensors");
  for (std::size_t size = 0; size < weights.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(ByteView(weights).first(size))) << size;
  }
}

}  // namespace
}  // namespace tarn
