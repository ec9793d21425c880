# Runs at `cmake --install` and in cpack: units of systemd and what belongs into /etc, with the paths of
# the prefix in use. Below /usr that is /etc itself, and a file that exists there is kept; elsewhere
# (/usr/local) the files lie in <prefix>/etc, from where an administrator takes what is wanted.
# SOURCE is this directory, WORK one to write to.
set(prefix "${CMAKE_INSTALL_PREFIX}")
set(real_prefix "${prefix}")
set(root_etc "${prefix}/etc")
set(sysconfdir "${prefix}/etc")
if(prefix MATCHES "^(.*/_CPack_Packages/.*)/usr$")   # the tree that becomes a package
  set(real_prefix /usr)
  set(root_etc "${CMAKE_MATCH_1}/etc")
  set(sysconfdir /etc)
elseif(prefix STREQUAL "/usr")
  set(root_etc /etc)
  set(sysconfdir /etc)
endif()
set(BINDIR "${real_prefix}/${BINDIR_NAME}")
set(SYSCONFDIR "${sysconfdir}")

function(install_as source destination name)
  if(EXISTS "$ENV{DESTDIR}${destination}/${name}" AND destination MATCHES "/etc")
    message(STATUS "Kept: ${destination}/${name}")
    return()
  endif()
  configure_file(${source} ${WORK}/${name} @ONLY)
  file(INSTALL ${WORK}/${name} DESTINATION ${destination}
    PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

foreach(unit IN ITEMS barman.service barman-receive-wal@.service)
  install_as(${SOURCE}/systemd/${unit}.in ${prefix}/lib/systemd/system ${unit})
endforeach()
install_as(${SOURCE}/systemd/barman.timer ${prefix}/lib/systemd/system barman.timer)
install_as(${SOURCE}/etc/barman.conf ${root_etc} barman.conf)
install_as(${SOURCE}/etc/streaming-server.conf-template ${root_etc}/barman.d streaming-server.conf-template)
install_as(${SOURCE}/etc/archiving-server.conf-template ${root_etc}/barman.d archiving-server.conf-template)
install_as(${SOURCE}/etc/ssh-server.conf-template ${root_etc}/barman.d ssh-server.conf-template)
install_as(${SOURCE}/etc/cron.d.in ${root_etc}/cron.d barman)
install_as(${SOURCE}/etc/logrotate ${root_etc}/logrotate.d barman)
install_as(${SOURCE}/etc/default ${root_etc}/default barman)
