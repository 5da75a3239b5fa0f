# Headers that are not ours and that most files of a target read, parsed once for all of them: to parse them is more
# than half of what a build without this does. Headers of ours stay out, for a change of one would build everything
# anew. Files include what they use all the same: TARN_PRECOMPILE=OFF shows it.
option(TARN_PRECOMPILE "Parse the headers of other libraries once for each target" ON)

set(TARN_PRECOMPILED_ALWAYS
  <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <limits> <map> <memory> <numeric> <optional> <set>
  <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h> <fmt/ranges.h>)

# tarn_precompile(target [header…]): those above, and these.
function(tarn_precompile target)
  if(TARN_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${TARN_PRECOMPILED_ALWAYS} ${ARGN})
  endif()
endfunction()
