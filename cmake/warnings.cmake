# The warnings every target of the project is compiled with. -Werror is set in presets only, so that
# packagers with a newer compiler are not stopped by a new warning.
add_library(barman_options INTERFACE)
target_compile_features(barman_options INTERFACE cxx_std_20)
target_include_directories(barman_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
target_compile_options(barman_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wcast-qual -Wformat=2 -Wsuggest-override
  -Wextra-semi -Wundef
  # Designated initialisers leave members out on purpose; those have defaults.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(barman_options INTERFACE -Wduplicated-cond -Wduplicated-branches -Wlogical-op
    -Wimplicit-fallthrough=5)
else()
  target_compile_options(barman_options INTERFACE -Wno-unknown-warning-option)
endif()
