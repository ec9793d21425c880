# Read by cpack: the Debian packages of the libraries that the programs need. CPack's own way
# (CPACK_DEBIAN_PACKAGE_SHLIBDEPS) asks file(1), through cmake, about each of 120 files first, which is
# most of the time that it takes.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(work "${CPACK_PACKAGE_DIRECTORY}/_CPack_dependencies")
file(WRITE "${work}/debian/control" "Source: barman\n\nPackage: barman\nArchitecture: any\n")
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C dpkg-shlibdeps -O ${CPACK_BARMAN_PROGRAMS}
  WORKING_DIRECTORY "${work}" OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
if(NOT result EQUAL 0 OR NOT output MATCHES "shlibs:Depends=([^\n]+)")
  message(FATAL_ERROR "dpkg-shlibdeps (of Debian's package dpkg-dev) has not found the libraries of the programs: ${result} ${errors}")
endif()
set(CPACK_DEBIAN_PACKAGE_DEPENDS "${CMAKE_MATCH_1}, ${CPACK_DEBIAN_PACKAGE_DEPENDS}")
