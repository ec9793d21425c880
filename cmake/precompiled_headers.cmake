# BARMAN_PRECOMPILE: what nearly every source includes is compiled once for the sources of the
# program, the unit tests, and the system tests, which are compiled without sanitizers (presets dev,
# tsan and fuzz). Not in the release build, which so shows what a source forgets to include.
#   barman_precompile(TARGET source|fuzzed_source|unit_test|system_test)
option(BARMAN_PRECOMPILE "use precompiled headers" OFF)

set(BARMAN_PRECOMPILED_SOURCE <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string> <string_view> <variant>
  <vector> <fmt/chrono.h> <fmt/format.h>)
set(BARMAN_PRECOMPILED_TEST <fstream> <thread> <gmock/gmock.h> <gtest/gtest.h>)

# The target whose precompiled headers the others of its kind use.
function(barman_precompiled_headers kind)
  set(source ${PROJECT_BINARY_DIR}/generated/precompiled_${kind}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "" @ONLY)
  add_library(barman_precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${source})
  target_link_libraries(barman_precompiled_${kind} PRIVATE barman_options fmt::fmt)
  target_precompile_headers(barman_precompiled_${kind} PRIVATE ${BARMAN_PRECOMPILED_SOURCE})
  if(kind MATCHES "test$")
    target_link_libraries(barman_precompiled_${kind} PRIVATE GTest::gmock GTest::gtest)
    target_precompile_headers(barman_precompiled_${kind} PRIVATE ${BARMAN_PRECOMPILED_TEST})
  endif()
  if(kind STREQUAL fuzzed_source)
    set_target_properties(barman_precompiled_${kind} PROPERTIES BARMAN_FUZZED ON)
  endif()
  if(kind STREQUAL unit_test)
    set_target_properties(barman_precompiled_${kind} PROPERTIES BARMAN_TEST_CODE ON)
  endif()
  if(kind STREQUAL system_test)
    set_target_properties(barman_precompiled_${kind} PROPERTIES BARMAN_BLACK_BOX ON)
  endif()
endfunction()

function(barman_precompile target kind)
  if(kind STREQUAL fuzzed_source AND NOT BARMAN_BUILD_FUZZERS)
    set(kind source)   # compiled in the same way
  endif()
  if(BARMAN_PRECOMPILE)
    if(NOT TARGET barman_precompiled_${kind})
      barman_precompiled_headers(${kind})
    endif()
    target_precompile_headers(${target} REUSE_FROM barman_precompiled_${kind})
  endif()
endfunction()
