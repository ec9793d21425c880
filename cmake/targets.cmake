# BARMAN_TOGETHER: several sources of a folder are compiled as one, which halves the time of a whole
# build: headers are read and templates are compiled once for all of them. Names in anonymous
# namespaces are therefore unique within a folder. Off, each file shows what it forgets to include.
option(BARMAN_TOGETHER "compile several sources of a folder as one" OFF)

function(barman_together target)
  if(BARMAN_TOGETHER)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
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
  if(folder IN_LIST BARMAN_FUZZED_FOLDERS)
    set_target_properties(barman_${folder} PROPERTIES BARMAN_FUZZED ON)
    barman_precompile(barman_${folder} fuzzed_source)
  else()
    barman_precompile(barman_${folder} source)
  endif()
  barman_together(barman_${folder})
endfunction()

# barman_FOLDER_plain: the same without sanitizers, for the system tests, which look at the (sanitized)
# programs from outside: a process with the sanitizers' memory takes long to start and to fork.
function(barman_plain_library folder)
  if(NOT BARMAN_SANITIZE)
    add_library(barman_${folder}_plain ALIAS barman_${folder})
    return()
  endif()
  get_target_property(sources barman_${folder} SOURCES)
  list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/src/${folder}/)
  get_target_property(links barman_${folder} LINK_LIBRARIES)
  list(TRANSFORM links APPEND _plain REGEX "^barman_(base|pipeline|compression|wal)$")
  add_library(barman_${folder}_plain STATIC ${sources})
  target_link_libraries(barman_${folder}_plain PUBLIC ${links})
  set_target_properties(barman_${folder}_plain PROPERTIES BARMAN_BLACK_BOX ON)
  barman_together(barman_${folder}_plain)
endfunction()

# With BARMAN_UNIT_TESTS_TOGETHER (./test sets it) they are one program, `unit_tests`: thirty-five programs with
# sanitizers take a minute of processor time to link, and 3 GB. Names of suites are unique; a folder that shares one
# with another says ALONE.
option(BARMAN_UNIT_TESTS_TOGETHER "the unit tests of all folders are one program" OFF)

function(barman_unit_tests folder)
  if(NOT BARMAN_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "ALONE" "" "SOURCES;LINKS" ${ARGN})
  set(links barman_options barman_${folder} ${arg_LINKS} GTest::gmock GTest::gtest_main)
  if(BARMAN_UNIT_TESTS_TOGETHER AND NOT arg_ALONE)
    add_library(${folder}_test OBJECT ${arg_SOURCES})
    set_property(GLOBAL APPEND PROPERTY BARMAN_UNIT_TEST_OBJECTS $<TARGET_OBJECTS:${folder}_test>)
    set_property(GLOBAL APPEND PROPERTY BARMAN_UNIT_TEST_LINKS ${links})
  else()
    add_executable(${folder}_test ${arg_SOURCES})
    barman_discover_unit_tests(${folder}_test)
  endif()
  target_link_libraries(${folder}_test PRIVATE ${links})
  set_target_properties(${folder}_test PROPERTIES BARMAN_TEST_CODE ON)
  barman_precompile(${folder}_test unit_test)
  barman_together(${folder}_test)
endfunction()

# Behind all folders.
function(barman_one_unit_test_program)
  get_property(objects GLOBAL PROPERTY BARMAN_UNIT_TEST_OBJECTS)
  get_property(links GLOBAL PROPERTY BARMAN_UNIT_TEST_LINKS)
  list(REMOVE_DUPLICATES links)
  add_executable(unit_tests ${objects})
  target_link_libraries(unit_tests PRIVATE ${links})
  barman_discover_unit_tests(unit_tests)
endfunction()

# Each test is a test of ctest; and the programs stand in unit_tests.txt, for `./test`, which runs
# them whole: starting a sanitized program for each test takes longer than most tests.
function(barman_discover_unit_tests target)
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120)
  set_property(GLOBAL APPEND PROPERTY BARMAN_UNIT_TESTS $<TARGET_FILE:${target}>)
endfunction()
