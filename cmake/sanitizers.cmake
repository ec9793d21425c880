# BARMAN_SANITIZE: a comma separated list for -fsanitize= ("address,undefined", "thread").
set(BARMAN_SANITIZE "" CACHE STRING "sanitizers to build with")
# Folders with parsers of foreign bytes tell the fuzzer which way an input took: BARMAN_FUZZED_FOLDERS (fuzz_targets.cmake).
# Unit tests are without UBSan themselves (property BARMAN_TEST_CODE): what it adds to their own lines is a quarter of the
# time of compiling them, and it is the code below that is looked at (inline functions of headers are so
# looked at by the system tests only). AddressSanitizer stays: a test that reads what a function has freed
# is how a defect of the function shows.
# A target with the property BARMAN_BLACK_BOX is built without them: the system tests look at the
# (sanitized) programs from outside, compile in half the time, and start and fork quickly. They link
# the plain form of what they use (barman_plain_library).
if(BARMAN_SANITIZE)
  set(flags -fsanitize=${BARMAN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  set(sanitized "$<NOT:$<BOOL:$<TARGET_PROPERTY:BARMAN_BLACK_BOX>>>")
  target_compile_options(barman_options INTERFACE "$<${sanitized}:${flags}>")
  # A fifth of the time of compiling them; a failed expectation says its line itself.
  target_compile_options(barman_options INTERFACE
    "$<$<OR:$<BOOL:$<TARGET_PROPERTY:BARMAN_TEST_CODE>>,$<BOOL:$<TARGET_PROPERTY:BARMAN_BLACK_BOX>>>:-g0>")
  if(BARMAN_SANITIZE MATCHES "undefined")
    target_compile_options(barman_options INTERFACE "$<$<BOOL:$<TARGET_PROPERTY:BARMAN_TEST_CODE>>:-fno-sanitize=undefined>")
  endif()
  if(BARMAN_BUILD_FUZZERS)
    target_compile_options(barman_options INTERFACE "$<$<BOOL:$<TARGET_PROPERTY:BARMAN_FUZZED>>:-fsanitize=fuzzer-no-link>")
  endif()
  target_link_options(barman_options INTERFACE "$<${sanitized}:-fsanitize=${BARMAN_SANITIZE}>")
endif()

# For programs with threads, and those that run them: see there.
function(barman_no_leak_check target)
  if(BARMAN_SANITIZE MATCHES "address")
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/programs/no_leak_check.cc)
  endif()
endfunction()
