# A CMake target is a folder of the source tree; what it may include is what it links, so that arrows go one way.
#
#   maildirsync_folder(NAME [LINK target...])
#
# makes the static library maildirsync_NAME of all .cpp files of the current folder.
function(maildirsync_folder name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(maildirsync_${name} STATIC ${sources})
    target_link_libraries(maildirsync_${name} PUBLIC maildirsync_options ${ARG_LINK})
  else()
    add_library(maildirsync_${name} INTERFACE)
    target_link_libraries(maildirsync_${name} INTERFACE maildirsync_options ${ARG_LINK})
  endif()
endfunction()
