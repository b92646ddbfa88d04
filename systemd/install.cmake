# Run by `cmake --install`: CMAKE_INSTALL_PREFIX is the one that was asked for then.
set(MAILDIRSYNC_SBINDIR ${CMAKE_INSTALL_SBINDIR})
if(NOT IS_ABSOLUTE "${MAILDIRSYNC_SBINDIR}")
  set(MAILDIRSYNC_SBINDIR ${CMAKE_INSTALL_PREFIX}/${MAILDIRSYNC_SBINDIR})
endif()

set(unit_dir "${MAILDIRSYNC_UNIT_DIR}")
if(NOT unit_dir AND CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(unit_dir ${system_unit_dir})
endif()
if(NOT unit_dir)
  set(unit_dir lib/systemd/system)
endif()
if(NOT IS_ABSOLUTE "${unit_dir}")
  set(unit_dir ${CMAKE_INSTALL_PREFIX}/${unit_dir})
endif()

foreach(unit maildirsync-agent.service maildirsyncd.service)
  configure_file(${source_dir}/${unit}.in ${binary_dir}/${unit} @ONLY)
  file(INSTALL ${binary_dir}/${unit} DESTINATION ${unit_dir})
endforeach()

# The programs look for their configuration in /etc, whatever the prefix; an installation into a private prefix has no say there.
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?$")
  file(MAKE_DIRECTORY $ENV{DESTDIR}/etc/maildirsync)
endif()
