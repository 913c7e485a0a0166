# SPDX-License-Identifier: Apache-2.0
# Installs headers, libraries, the CMake package (peft::peft, peft::peft_static, peft::io, peft::io_static, peft::mpi),
# pkg-config files, documentation and example sources.
include(CMakePackageConfigHelpers)
set(peft_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/peft)

# A file of targets for each component, as the static libraries need other packages than the shared ones.
function(peft_install target component)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${component})
  install(TARGETS ${target} EXPORT peft_${component}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  export(EXPORT peft_${component} NAMESPACE peft:: FILE ${PROJECT_BINARY_DIR}/peft_${component}.cmake)
  install(EXPORT peft_${component} NAMESPACE peft:: FILE peft_${component}.cmake DESTINATION ${peft_cmake_dir})
endfunction()

# The prefix relative to the pkg-config file, so that an installed tree can be moved.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(PEFT_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(PEFT_PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
  set(PEFT_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(PEFT_PC_PREFIX "\${pcfiledir}/${up}")
  set(PEFT_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(PEFT_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# Makes NAME.pc, and NAME-uninstalled.pc in the build folder for programs that use the build without installing it
# (pkg-config prefers it). ARGN: libraries that the static library needs. They are not given as Requires.private, for
# which pkg-config would add all that a fully static program needs (libzip's ssl, bz2, ...).
function(peft_pc name target)
  set(flags ${ARGN})
  foreach(folder ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
    list(REMOVE_ITEM flags -L${folder})
  endforeach()
  string(JOIN " " PEFT_PC_PRIVATE ${flags})
  configure_file(${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  get_target_property(PEFT_PC_LIBDIR ${target} BINARY_DIR)
  set(PEFT_PC_PREFIX ${PROJECT_SOURCE_DIR})
  set(PEFT_PC_INCLUDEDIR ${PROJECT_SOURCE_DIR}/include)
  configure_file(${name}.pc.in ${name}-uninstalled.pc @ONLY)
endfunction()

set(peft_headers_unused "")
if(NOT PEFT_IO)
  foreach(header io image transform dataset loader predictor)
    list(APPEND peft_headers_unused PATTERN ${header}.h EXCLUDE)
  endforeach()
  list(APPEND peft_headers_unused PATTERN io.hpp EXCLUDE)
endif()
if(NOT TARGET peft_mpi)
  list(APPEND peft_headers_unused PATTERN mpi.h EXCLUDE)
endif()
install(DIRECTORY include/peft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp" ${peft_headers_unused})
peft_install(peft peft)
peft_install(peft_static peft_static)
peft_pc(peft peft ${PEFT_JANSSON_LDFLAGS})
if(PEFT_IO)
  peft_install(peft_io io)
  peft_install(peft_io_static io_static)
  if(TARGET peft_dicom)                               # a plug-in: found at run time, never linked
    install(TARGETS peft_dicom LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
  endif()
  peft_pc(peft-io peft_io ${PEFT_SPNG_LDFLAGS} ${PEFT_JPEG_LDFLAGS} ${PEFT_ZIP_LDFLAGS} ${PEFT_ZLIB_LDFLAGS}
          ${PEFT_TIFF_LDFLAGS} ${PEFT_WEBP_LDFLAGS})
endif()

if(TARGET peft_mpi)
  peft_install(peft_mpi mpi)
  peft_pc(peft-mpi peft_mpi)
endif()

set(peft_optional "")                                # pkg-config names of the optional libraries of peft_io_static
foreach(library TIFF:libtiff-4 WEBP:libwebp)
  string(REPLACE ":" ";" library ${library})
  list(GET library 0 prefix)
  list(GET library 1 name)
  if(PEFT_IO AND PEFT_${prefix}_FOUND)
    string(APPEND peft_optional " ${name}")
  endif()
endforeach()
configure_package_config_file(cmake/peftConfig.cmake.in peftConfig.cmake INSTALL_DESTINATION ${peft_cmake_dir})
set(peft_compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(peft_compatibility SameMinorVersion)
endif()
write_basic_package_version_file(peftConfigVersion.cmake COMPATIBILITY ${peft_compatibility})
install(FILES ${PROJECT_BINARY_DIR}/peftConfig.cmake ${PROJECT_BINARY_DIR}/peftConfigVersion.cmake
        DESTINATION ${peft_cmake_dir})
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.png" PATTERN "*.svg")
install(DIRECTORY examples/lists DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples FILES_MATCHING PATTERN "*.txt")
install(DIRECTORY examples/embed DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES examples/custom_method.c examples/gated_prompt.h examples/masked_prompt.h DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
