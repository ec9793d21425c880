# BARMAN_SANITIZE: a comma separated list for -fsanitize= ("address,undefined", "thread").
set(BARMAN_SANITIZE "" CACHE STRING "sanitizers to build with")
# A target with the property BARMAN_BLACK_BOX is built without them: the system tests look at the
# (sanitized) programs from outside, compile in half the time, and start and fork quickly. They link
# the plain form of what they use (barman_plain_library).
if(BARMAN_SANITIZE)
  set(flags -fsanitize=${BARMAN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  set(sanitized "$<NOT:$<BOOL:$<TARGET_PROPERTY:BARMAN_BLACK_BOX>>>")
  target_compile_options(barman_options INTERFACE "$<${sanitized}:${flags}>")
  target_link_options(barman_options INTERFACE "$<${sanitized}:-fsanitize=${BARMAN_SANITIZE}>")
endif()

# For programs with threads, and those that run them: see there.
function(barman_no_leak_check target)
  if(BARMAN_SANITIZE MATCHES "address")
    target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/programs/no_leak_check.cc)
  endif()
endfunction()
