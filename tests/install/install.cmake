# SPDX-License-Identifier: Apache-2.0
# How other projects link libpeft (label install): every section of docs/linking.md, and what the page states. One
# installed tree serves all of them. The sections that compile libpeft once more are slow.
set(install ${CMAKE_CURRENT_SOURCE_DIR}/install)
set(work ${CMAKE_CURRENT_BINARY_DIR}/install)
set(recompiled subdirectory fetchcontent meson_wrap)

function(peft_install_test name)
  peft_test(install_${name} "scripts;install" 50 ${ARGN})
endfunction()

peft_install_test(tree ${install}/tree.sh ${PROJECT_BINARY_DIR} ${work}/tree)
set_tests_properties(install_tree PROPERTIES FIXTURES_SETUP peft_tree)
file(STRINGS ${PROJECT_SOURCE_DIR}/docs/linking.md sections REGEX "^<!-- test: ")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/linking.md)
set(users consumer)
foreach(section IN LISTS sections)
  string(REGEX REPLACE "^<!-- test: ([a-z_]+).*" "\\1" name "${section}")
  if(NOT name STREQUAL all)
    peft_install_test(${name} ${install}/page.sh ${name} ${PROJECT_BINARY_DIR} ${work}/tree ${work}/${name}
                      ${CMAKE_C_COMPILER} ${PEFT_CXX})
    list(APPEND users ${name})
  endif()
endforeach()
peft_install_test(page_can_fail ${install}/page.sh --self-test ${work}/page_can_fail)
peft_install_test(consumer ${install}/consumer.sh ${work}/tree ${work}/consumer ${CMAKE_C_COMPILER} ${PEFT_CXX})
foreach(name IN LISTS users)
  set_tests_properties(install_${name} PROPERTIES FIXTURES_REQUIRED peft_tree)
endforeach()
foreach(name IN LISTS recompiled)
  set_tests_properties(install_${name} PROPERTIES LABELS "slow;install")
endforeach()
peft_install_test(parent ${install}/parent.sh ${work}/parent ${CMAKE_C_COMPILER})
peft_install_test(parent_can_fail ${install}/parent.sh --self-test ${work}/parent_can_fail ${CMAKE_C_COMPILER})
