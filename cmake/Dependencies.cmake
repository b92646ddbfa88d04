# Every dependency is a Debian 12 package; scripts/packages lists them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(Protobuf REQUIRED)
pkg_check_modules(Zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XxHash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(Sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(Systemd REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(Tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)

# librsync, libinotifytools and libcap come without (usable) package files.
foreach(library rsync inotifytools cap)
  find_library(LIB_${library} NAMES ${library} REQUIRED)
endforeach()
find_path(LIBRSYNC_INCLUDE librsync.h REQUIRED)
find_path(INOTIFYTOOLS_INCLUDE inotifytools/inotifytools.h REQUIRED)
find_path(ASIO_INCLUDE asio.hpp REQUIRED)

add_library(maildirsync_options INTERFACE)
target_include_directories(maildirsync_options INTERFACE ${CMAKE_SOURCE_DIR})
# Precompiled headers want the same macros in all files, so the libraries' are here.
target_compile_definitions(maildirsync_options INTERFACE _GNU_SOURCE SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB SPDLOG_SHARED_LIB
  ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_SEPARATE_COMPILATION MAILDIRSYNC_VERSION="${PROJECT_VERSION}")
target_compile_options(maildirsync_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wcast-qual -Wformat=2 -Wundef -Wduplicated-cond
  -Wno-missing-field-initializers -fno-omit-frame-pointer -fstack-protector-strong)
if(MAILDIRSYNC_SANITIZE)
  target_compile_options(maildirsync_options INTERFACE -fsanitize=${MAILDIRSYNC_SANITIZE} -fno-sanitize-recover=all
    -D_GLIBCXX_ASSERTIONS)
  target_link_options(maildirsync_options INTERFACE -fsanitize=${MAILDIRSYNC_SANITIZE})
else()
  target_compile_options(maildirsync_options INTERFACE $<$<CONFIG:RelWithDebInfo>:-O2 -D_FORTIFY_SOURCE=2>)
endif()
target_link_libraries(maildirsync_options INTERFACE tl::expected fmt::fmt)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ccache asks for it where there are precompiled headers.
  target_compile_options(maildirsync_options INTERFACE -fpch-preprocess)
  # GCC 12 reports these in std::string code of its own: where sanitizers instrument it, and where it comes precompiled.
  target_compile_options(maildirsync_options INTERFACE -Wno-restrict -Wno-mismatched-new-delete -Wno-error=maybe-uninitialized
    -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  if(MAILDIRSYNC_SANITIZE)
    target_compile_options(maildirsync_options INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(MAILDIRSYNC_SANITIZE STREQUAL "thread")
    target_compile_options(maildirsync_options INTERFACE -Wno-tsan)
  endif()
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # For fuzzing only. GCC's library asks for the coroutines of C++20, which clang 14 has without saying so; they and
  # -fsanitize=function do not go together.
  target_compile_options(maildirsync_options INTERFACE -w -Wno-unknown-warning-option -fno-sanitize=function)
  target_compile_definitions(maildirsync_options INTERFACE __cpp_impl_coroutine=201902L ASIO_HAS_CO_AWAIT
    ASIO_HAS_STD_COROUTINE)
endif()

# Asio's own code is compiled once, here, and not again in each file that includes it. A header of the library goes first,
# as everywhere: Asio asks its macros whether there is aligned_alloc, and must free as the others allocate.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/asio.cpp CONTENT "#include <cstddef>\n#include <asio/impl/src.hpp>\n#include <asio/ssl/impl/src.hpp>\n")
add_library(maildirsync_asio STATIC ${CMAKE_BINARY_DIR}/asio.cpp)
target_link_libraries(maildirsync_asio PUBLIC OpenSSL::SSL OpenSSL::Crypto Threads::Threads PRIVATE maildirsync_options)
