# One static library a folder, and one unit test program beside it.
#   barman_library(wal SOURCES lsn.cc ... LINKS barman_base ...)
#   barman_unit_tests(wal SOURCES lsn_test.cc ... LINKS ...)
function(barman_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(barman_${folder} STATIC ${arg_SOURCES})
  target_link_libraries(barman_${folder} PUBLIC ${arg_LINKS} PRIVATE barman_options ${arg_PRIVATE_LINKS})
endfunction()

function(barman_unit_tests folder)
  if(NOT BARMAN_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${folder}_test ${arg_SOURCES})
  target_link_libraries(${folder}_test PRIVATE barman_options barman_${folder} ${arg_LINKS}
    GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${folder}_test DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
