# The version that `barman --version` prints: the Barman version whose interface this program keeps.
set(BARMAN_VERSION "3.20.1")
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${PROJECT_BINARY_DIR}/generated/version.h @ONLY)
