# LLVM 19, linked statically with the components and targets that Tarn uses. Only `codegen` links it.
find_package(LLVM 19 REQUIRED CONFIG HINTS /usr/lib/llvm-19/lib/cmake/llvm)
llvm_map_components_to_libnames(TARN_LLVM_LIBRARIES
  core support passes orcjit x86codegen x86asmparser x86desc x86info)
add_library(tarn_llvm INTERFACE)
target_include_directories(tarn_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_compile_definitions(tarn_llvm INTERFACE ${LLVM_DEFINITIONS_LIST})
target_link_libraries(tarn_llvm INTERFACE ${TARN_LLVM_LIBRARIES})
