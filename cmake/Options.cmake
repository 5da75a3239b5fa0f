# Warnings, sanitizers and linker shared by every target of ours, as one interface library.
add_library(tarn_options INTERFACE)
target_compile_options(tarn_options INTERFACE -Wall -Wextra -Wpedantic -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: "literal" + std::string warns at -O3, and, where the library's headers are precompiled, so that GCC
  # no longer knows that they are not ours, in three more ways.
  target_compile_options(tarn_options INTERFACE
    -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND TARN_PRECOMPILE)
  # std::stable_sort of GCC 12's library calls what that library says is deprecated; precompiled, it counts as ours.
  target_compile_options(tarn_options INTERFACE -Wno-deprecated-declarations)
endif()
target_include_directories(tarn_options INTERFACE ${PROJECT_SOURCE_DIR})

# Statically linking LLVM is the slowest part of a build; lld does it several times faster than ld.bfd.
find_program(LLD NAMES ld.lld-19 ld.lld)
if(LLD)
  target_link_options(tarn_options INTERFACE -fuse-ld=lld)
  if(LLD MATCHES "ld.lld-19$")
    # GCC looks for ld.lld by that very name.
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/linker)
    file(CREATE_LINK ${LLD} ${CMAKE_BINARY_DIR}/linker/ld.lld SYMBOLIC)
    target_link_options(tarn_options INTERFACE -B${CMAKE_BINARY_DIR}/linker)
  endif()
  # What runs once at the start stands together: a start maps 4 MiB less of LLVM.
  target_link_options(tarn_options INTERFACE -Wl,-z,keep-text-section-prefix)
endif()
target_link_options(tarn_options INTERFACE -Wl,--gc-sections)
target_compile_options(tarn_options INTERFACE -ffunction-sections -fdata-sections)

set(TARN_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
if(TARN_SANITIZE)
  add_compile_options(-fsanitize=${TARN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TARN_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 inlines one half of LLVM's operators new and delete of the same class, and not the other; and it loses track
    # of what std::optional, std::variant and std::regex initialize.
    add_compile_options(-Wno-mismatched-new-delete -Wno-maybe-uninitialized)
  endif()
  if(TARN_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      # ASan stops at the first two as well; the others want types at run time, which LLVM is built without. A third of
      # the time that a file takes goes into these.
      add_compile_options(-fno-sanitize=null,object-size,vptr,function)
    endif()
  endif()
endif()

# A library of ours: its sources are the .cpp files of its folder and of the rooms in it; its public headers are found
# from the top ("passes/plan/kernel_plan.h"). PRECOMPILE: headers of other libraries that most of its files read.
function(tarn_library name)
  cmake_parse_arguments(ARG "" "" "LINK;PRECOMPILE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC tarn_options ${ARG_LINK})
  tarn_unity(${name} ${sources})
  tarn_precompile(${name} ${ARG_PRECOMPILE})
endfunction()
