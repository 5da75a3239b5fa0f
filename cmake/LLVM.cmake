# LLVM 19, linked statically with the components and the targets that Tarn uses. Only `codegen` links it. No pass
# pipeline and no ORC: what is emitted is already shaped, and every component costs time between start and main.
find_package(LLVM 19.1 REQUIRED CONFIG HINTS /usr/lib/llvm-19/lib/cmake/llvm)
llvm_map_components_to_libnames(TARN_LLVM_LIBRARIES core support bitwriter runtimedyld object x86asmparser x86codegen x86desc x86info
  aarch64codegen aarch64desc aarch64info armcodegen armdesc arminfo riscvcodegen riscvdesc riscvinfo
  webassemblycodegen webassemblydesc webassemblyinfo)
separate_arguments(TARN_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_library(tarn_llvm INTERFACE)
target_include_directories(tarn_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_compile_definitions(tarn_llvm INTERFACE ${TARN_LLVM_DEFINITIONS})
target_link_libraries(tarn_llvm INTERFACE ${TARN_LLVM_LIBRARIES})
