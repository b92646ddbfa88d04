#include "common/decisions/file.h"

#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "common/decisions/text.h"
#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/own_file.h"
#include "common/os/path.h"
#include "common/os/replace_file.h"

namespace maildirsync::decisions {

namespace {

constexpr std::size_t k_largest = 64 * 1024 * 1024;

/// Of the program's own.
Result<std::string> read_own(const std::string& path) {
  MAILDIRSYNC_ASSIGN(const auto directory, os::Directory::open_root(os::directory_of(path)));
  MAILDIRSYNC_ASSIGN(const auto fd, os::open_own(directory, path.substr(path.rfind('/') + 1), O_RDONLY));
  return os::read_all(fd.get(), k_largest, path);
}

}  // namespace

Result<Found> read_book(const std::string& path, Whose whose) {
  Found found;
  const auto text = whose == Whose::own ? read_own(path) : os::read_file(path, k_largest);
  if (!text && text.error().code == ErrorCode::vanished) return found;
  if (!text) return Failure(text.error());
  auto book = from_text(*text);
  if (book) {
    found.book = std::move(*book);
    found.exists = true;
    return found;
  }
  if (book.error().code != ErrorCode::state) return failure(book.error().code, path, book.error().detail);
  const std::string aside = fmt::format("{}.damaged-{:%Y%m%dT%H%M%SZ}", path, fmt::gmtime(std::time(nullptr)));
  if (std::rename(path.c_str(), aside.c_str()) != 0) {
    return os_failure(path, "a damaged file of decisions cannot be put aside", errno);
  }
  MAILDIRSYNC_TRY(os::sync_directory(os::directory_of(path)));
  found.damage = book.error().detail + "; it was put aside as " + aside;
  return found;
}

Result<> write_book(const std::string& path, const Book& book, unsigned mode) {
  return os::replace_file(path, to_text(book), mode);
}

}  // namespace maildirsync::decisions
