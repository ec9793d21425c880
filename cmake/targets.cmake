# BARMAN_TOGETHER: several sources of a folder are compiled as one, which halves the time of a whole
# build: headers are read and templates are compiled once for all of them. Names in anonymous
# namespaces are therefore unique within a folder. Off, each file shows what it forgets to include.
option(BARMAN_TOGETHER "compile several sources of a folder as one" OFF)
# Their unit tests have short names for the same things.
set(BARMAN_TESTS_APART wal_archive)

# More arguments: folders that are left as they are.
function(barman_together target folder)
  if(BARMAN_TOGETHER AND NOT folder IN_LIST ARGN)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # It takes the sources, which are included here, for headers.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# One static library a folder, and one unit test program beside it.
#   barman_library(wal SOURCES lsn.cc ... LINKS barman_base ...)
#   barman_unit_tests(wal SOURCES lsn_test.cc ... LINKS ...)
function(barman_library folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(barman_${folder} STATIC ${arg_SOURCES})
  target_link_libraries(barman_${folder} PUBLIC ${arg_LINKS} PRIVATE barman_options ${arg_PRIVATE_LINKS})
  barman_precompile(barman_${folder} source)
  barman_together(barman_${folder} ${folder})
endfunction()

function(barman_unit_tests folder)
  if(NOT BARMAN_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${folder}_test ${arg_SOURCES})
  target_link_libraries(${folder}_test PRIVATE barman_options barman_${folder} ${arg_LINKS}
    GTest::gmock GTest::gtest_main)
  barman_precompile(${folder}_test unit_test)
  barman_together(${folder}_test ${folder} ${BARMAN_TESTS_APART})
  barman_discover_unit_tests(${folder}_test)
endfunction()

# Each test is a test of ctest; and the programs stand in unit_tests.txt, for `./test`, which runs
# them whole: starting a sanitized program for each test takes longer than most tests.
function(barman_discover_unit_tests target)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120)
  set_property(GLOBAL APPEND PROPERTY BARMAN_UNIT_TESTS $<TARGET_FILE:${target}>)
endfunction()
