# SPDX-License-Identifier: Apache-2.0
# The target `docs`: HTML pages of the public headers in reference/html of the build, where Doxygen is installed.
find_program(PEFT_DOXYGEN doxygen)
set(PEFT_REFERENCE_DIR ${PROJECT_BINARY_DIR}/reference)
set(PEFT_REFERENCE_HEADERS ${PROJECT_SOURCE_DIR}/include)
configure_file(docs/Doxyfile.in Doxyfile @ONLY)
if(PEFT_DOXYGEN)
  add_custom_target(docs COMMAND ${CMAKE_COMMAND} -E make_directory ${PEFT_REFERENCE_DIR}
                         COMMAND ${PEFT_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile VERBATIM)
endif()
