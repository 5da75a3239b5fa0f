# libtarn, for programs that embed the compiler: shared and static, with headers, a CMake package and a pkg-config file.
# Both export the functions of tarn/c.h and nothing else.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(libtarn_map ${PROJECT_SOURCE_DIR}/runtime/libtarn.map)
add_library(tarn_shared SHARED $<TARGET_OBJECTS:tarn_runtime>)
target_link_libraries(tarn_shared PRIVATE tarn_options tarn_frontend tarn_codegen nlohmann_json::nlohmann_json ZLIB::ZLIB)
target_link_options(tarn_shared PRIVATE -Wl,--version-script=${libtarn_map} -Wl,-z,defs)
set_target_properties(tarn_shared PROPERTIES
  OUTPUT_NAME tarn VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${libtarn_map}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
target_include_directories(tarn_shared INTERFACE ${PROJECT_SOURCE_DIR}/runtime/include)

# The static library is one object: ours and what it needs of LLVM, linked with each other, with all names local but those
# of tarn/c.h. A program that links it may have an LLVM of its own.
set(libtarn_llvm ${LLVM_AVAILABLE_LIBS})
list(FILTER libtarn_llvm INCLUDE REGEX "^LLVM")
set(libtarn_parts)
foreach(part tarn_frontend tarn_codegen tarn_passes tarn_ir ${libtarn_llvm})
  get_target_property(type ${part} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND libtarn_parts $<TARGET_FILE:${part}>)
  endif()
endforeach()
# GNU's linker, because the groups of inline functions must not be merged with those of the program: their symbols are
# local. LLVM's objcopy, because GNU's does not make unique symbols local.
find_program(LIBTARN_LINKER NAMES ld.bfd REQUIRED)
find_program(LIBTARN_OBJCOPY NAMES llvm-objcopy-19 llvm-objcopy HINTS ${LLVM_TOOLS_BINARY_DIR} REQUIRED)
set(libtarn_static ${CMAKE_BINARY_DIR}/lib/libtarn.a)
add_custom_command(
  OUTPUT ${libtarn_static}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${libtarn_static}
  COMMAND ${LIBTARN_LINKER} -r --force-group-allocation -o tarn_all.o $<TARGET_OBJECTS:tarn_runtime> --start-group ${libtarn_parts} --end-group
  COMMAND ${LIBTARN_OBJCOPY} --wildcard --keep-global-symbol=tarn_* tarn_all.o
  COMMAND ${CMAKE_AR} rcs ${libtarn_static} tarn_all.o
  DEPENDS tarn_runtime tarn_frontend tarn_codegen tarn_passes tarn_ir
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/lib
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(tarn_static ALL DEPENDS ${libtarn_static})
