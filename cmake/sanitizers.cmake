# BARMAN_SANITIZE: a comma separated list for -fsanitize= ("address,undefined", "thread").
set(BARMAN_SANITIZE "" CACHE STRING "sanitizers to build with")
if(BARMAN_SANITIZE)
  target_compile_options(barman_options INTERFACE -fsanitize=${BARMAN_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(barman_options INTERFACE -fsanitize=${BARMAN_SANITIZE})
endif()
