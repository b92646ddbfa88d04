# `cpack -G RPM` in the build's folder: one package of all that `cmake --install --prefix /usr` installs. `cpack -G External`
# makes the relocatable bundle. packaging/debian has its own rules.
set(CPACK_GENERATOR RPM)
set(CPACK_PACKAGE_NAME maildirsync)
set(CPACK_PACKAGE_VENDOR "maildirsync developers")
set(CPACK_PACKAGE_CONTACT "maildirsync developers <maildirsync@example.org>")
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_RELOCATABLE OFF)
# Units name the programs' folder, so what is staged has to believe that it is in /usr.
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)

set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none")
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "MIT AND GPL-2.0-only")  # the agent with libinotifytools: see README.md
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_DESCRIPTION
  "An agent on the old mail server watches its Maildirs and streams every change, as it happens, to a receiver on the new one.
This package has both; each starts once its configuration exists.")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/postun)
# What belongs to the system and to no package of ours.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
  /etc /lib /lib/systemd /lib/systemd/system /usr/sbin /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysctl.d /usr/lib/sysusers.d /usr/lib/tmpfiles.d
  /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions
  /usr/share/licenses /usr/share/man /usr/share/man/man1 /usr/share/man/man5 /usr/share/man/man8)
# `cpack -G External`: the bundle.
set(CPACK_EXTERNAL_PACKAGE_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/Bundle.cmake)
set(CPACK_MAILDIRSYNC_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_MAILDIRSYNC_PROGRAMS ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
include(CPack)
