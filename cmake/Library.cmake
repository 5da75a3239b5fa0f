# libtarn, for programs that embed the compiler: shared and static, with headers, a CMake package and a pkg-config
# file. Both export the functions of tarn/c.h and nothing else.

# The same places on every system: the files that name them are relative to each other.
set(CMAKE_INSTALL_LIBDIR lib)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# CMake counts a precompiled header among the objects.
set(libtarn_objects $<FILTER:$<TARGET_OBJECTS:tarn_runtime>,EXCLUDE,[.][gp]ch$>)
set(libtarn_map ${PROJECT_SOURCE_DIR}/runtime/library/libtarn.map)
add_library(tarn_shared SHARED ${libtarn_objects})
target_link_libraries(tarn_shared PRIVATE tarn_options tarn_frontend tarn_codegen nlohmann_json::nlohmann_json ZLIB::ZLIB
                      ${TARN_IMAGE_LIBRARIES})
target_link_options(tarn_shared PRIVATE -Wl,--version-script=${libtarn_map})
if(NOT TARN_SANITIZE)
  # The runtime of Clang's sanitizers is the program's.
  target_link_options(tarn_shared PRIVATE -Wl,-z,defs)
endif()
target_compile_features(tarn_shared INTERFACE cxx_std_20)
set_target_properties(tarn_shared PROPERTIES
  OUTPUT_NAME tarn EXPORT_NAME tarn VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${libtarn_map}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
target_include_directories(tarn_shared INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# The static library is one object: ours and what it needs of LLVM, linked with each other, with all names local but
# those of tarn/c.h. A program that links it may have an LLVM of its own.
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
  COMMAND ${LIBTARN_LINKER} -r --force-group-allocation -o tarn_all.o ${libtarn_objects} --start-group ${libtarn_parts} --end-group
  COMMAND ${LIBTARN_OBJCOPY} --wildcard --keep-global-symbol=tarn_* tarn_all.o
  COMMAND ${CMAKE_AR} rcs ${libtarn_static} tarn_all.o
  COMMAND ${CMAKE_COMMAND} -E rm tarn_all.o
  DEPENDS tarn_runtime tarn_frontend tarn_codegen tarn_passes tarn_ir
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/lib
  COMMAND_EXPAND_LISTS VERBATIM)
if(NOT TARN_SANITIZE)
  add_custom_target(tarn_static ALL DEPENDS ${libtarn_static})
endif()

install(TARGETS tarn_shared EXPORT TarnTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS tarn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${libtarn_static} DESTINATION ${CMAKE_INSTALL_LIBDIR} OPTIONAL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/tarn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
set(libtarn_package ${CMAKE_INSTALL_LIBDIR}/cmake/Tarn)
install(EXPORT TarnTargets NAMESPACE Tarn:: DESTINATION ${libtarn_package})
list(JOIN TARN_IMAGE_LINKS " -l" libtarn_image_options)
string(REGEX REPLACE "^(.)" " -l\\1" libtarn_image_options "${libtarn_image_options}")
configure_package_config_file(cmake/install/TarnConfig.cmake.in ${CMAKE_BINARY_DIR}/install/TarnConfig.cmake
  INSTALL_DESTINATION ${libtarn_package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/install/TarnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/install/tarn.pc.in ${CMAKE_BINARY_DIR}/install/tarn.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/install/TarnConfig.cmake ${CMAKE_BINARY_DIR}/install/TarnConfigVersion.cmake
        DESTINATION ${libtarn_package})
install(FILES ${CMAKE_BINARY_DIR}/install/tarn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
