# What makes a build take less time; neither changes what is built.

# The files of a room are compiled several at a time: of the time that a file takes by itself, most goes into headers
# and templates that its neighbours use as well. So names in anonymous namespaces are a room's, not a file's: what stands
# in two files under one name is a helper that they should share, or is two things. Files include what they use all the
# same: TARN_UNITY=OFF, with which clang-tidy and editors read them, shows it.
option(TARN_UNITY "Compile several files at a time" ON)
set(TARN_UNITY_FILES 8 CACHE STRING "The most files that are compiled at a time")
if(TARN_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # What a file includes might be a header, and then a class in it must not hold what is in an anonymous namespace.
  add_compile_options(-Wno-subobject-linkage)
endif()

# tarn_unity(target source…): compiles these so. Each part of a room has about as many files.
function(tarn_unity target)
  if(NOT TARN_UNITY)
    return()
  endif()
  set(rooms)
  foreach(source ${ARGN})
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(GET folder FILENAME room)
    list(APPEND rooms ${room})
    list(APPEND files_${room} ${source})
  endforeach()
  list(REMOVE_DUPLICATES rooms)
  foreach(room ${rooms})
    list(LENGTH files_${room} count)
    math(EXPR parts "(${count} + ${TARN_UNITY_FILES} - 1) / ${TARN_UNITY_FILES}")
    set(index 0)
    foreach(source ${files_${room}})
      math(EXPR part "${index} * ${parts} / ${count}")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${room}_${part})
      math(EXPR index "${index} + 1")
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# Headers that are not ours and that most files of a target read, parsed once for all of them: to parse them is more
# than half of what a build without this does. Headers of ours stay out, for a change of one would build everything
# anew. Files include what they use all the same: TARN_PRECOMPILE=OFF shows it.
option(TARN_PRECOMPILE "Parse the headers of other libraries once for each target" ON)

set(TARN_PRECOMPILED_ALWAYS
  <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <limits> <map> <memory> <numeric> <optional> <set>
  <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

# tarn_precompile(target [header…]): those above, and these.
function(tarn_precompile target)
  if(TARN_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${TARN_PRECOMPILED_ALWAYS} ${ARGN})
  endif()
endfunction()
