# The headers of others that nearly every file includes are read once. They stay included where they are used: a file must not
# depend on this list.
add_library(maildirsync_headers STATIC ${CMAKE_SOURCE_DIR}/cmake/headers.cpp)
# Whoever is compiled with Asio's headers has references to Asio's objects.
target_link_libraries(maildirsync_headers PUBLIC maildirsync_asio PRIVATE maildirsync_options nlohmann_json::nlohmann_json)
target_precompile_headers(maildirsync_headers PRIVATE
  <algorithm> <array> <atomic> <chrono> <condition_variable> <deque> <filesystem> <functional> <future> <map> <memory> <mutex> <optional>
  <set> <string> <string_view> <thread> <unordered_map> <unordered_set> <variant> <vector>
  <fmt/format.h> <tl/expected.hpp> <nlohmann/json.hpp>
  <asio/awaitable.hpp> <asio/co_spawn.hpp> <asio/detached.hpp> <asio/io_context.hpp> <asio/ip/tcp.hpp> <asio/local/stream_protocol.hpp>
  <asio/posix/stream_descriptor.hpp> <asio/post.hpp> <asio/ssl/stream.hpp> <asio/steady_timer.hpp> <asio/strand.hpp>
  <asio/thread_pool.hpp> <asio/use_awaitable.hpp>)

# A CMake target is a folder of the source tree; what it may include is what it links, so that arrows go one way.
#
#   maildirsync_folder(NAME [SOURCES folder...] [LINK target...])
#
# makes the static library maildirsync_NAME of all .cpp files of the current folder, and of those that SOURCES names.
function(maildirsync_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder IN LISTS ARG_SOURCES)
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(maildirsync_${name} STATIC ${sources})
    target_link_libraries(maildirsync_${name} PUBLIC maildirsync_options maildirsync_headers ${ARG_LINK})
    target_precompile_headers(maildirsync_${name} REUSE_FROM maildirsync_headers)
  else()
    add_library(maildirsync_${name} INTERFACE)
    target_link_libraries(maildirsync_${name} INTERFACE maildirsync_options ${ARG_LINK})
  endif()
endfunction()
