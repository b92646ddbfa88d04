# CPack's External generator: packaging/bundle does it.
execute_process(COMMAND ${CPACK_MAILDIRSYNC_SOURCE}/packaging/bundle --programs ${CPACK_MAILDIRSYNC_PROGRAMS} ${CPACK_TEMPORARY_DIRECTORY}
  COMMAND_ERROR_IS_FATAL ANY)
file(GLOB CPACK_EXTERNAL_BUILT_PACKAGES ${CPACK_TEMPORARY_DIRECTORY}/maildirsync-*.tar.*)
