# Writes barman.1, barman.5 and barman-<command>.1 for every available command into DIRECTORY, with TOOL
# (barman-make-man). The list of commands comes from the tool, so it cannot go stale.
function(write_page name)
  execute_process(COMMAND ${TOOL} ${ARGN} OUTPUT_FILE ${DIRECTORY}/${name} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "cannot write the manual page ${name}")
  endif()
endfunction()

file(REMOVE_RECURSE ${DIRECTORY})
file(MAKE_DIRECTORY ${DIRECTORY})
execute_process(COMMAND ${TOOL} --list OUTPUT_VARIABLE commands COMMAND_ERROR_IS_FATAL ANY)
string(STRIP "${commands}" commands)
string(REPLACE "\n" ";" commands "${commands}")
write_page(barman.1)
write_page(barman.5 --configuration)
foreach(command IN LISTS commands)
  write_page(barman-${command}.1 ${command})
endforeach()
