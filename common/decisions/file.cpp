#include "common/decisions/file.h"

#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/decisions/text.h"
#include "common/os/directory.h"
#include "common/os/fd.h"

namespace maildirsync::decisions {

namespace {

constexpr std::size_t k_largest = 64 * 1024 * 1024;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

Result<> sync_directory(const std::string& path) {
  const os::Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return os_failure(path, "the directory cannot be synced", errno);
  return {};
}

Result<> write_aside(const std::string& path, const std::string& text, unsigned mode) {
  const os::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return os_failure(path, "decisions cannot be written", errno);
  MAILDIRSYNC_TRY(os::write_all(fd.get(), text, path));
  if (::fsync(fd.get()) != 0) return os_failure(path, "decisions cannot be synced to the disk", errno);
  return {};
}

}  // namespace

Result<Found> read_book(const std::string& path) {
  Found found;
  const auto text = os::read_file(path, k_largest);
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
  MAILDIRSYNC_TRY(sync_directory(directory_of(path)));
  found.damage = book.error().detail + "; it was put aside as " + aside;
  return found;
}

Result<> write_book(const std::string& path, const Book& book, unsigned mode) {
  const std::string aside = path + ".new";
  MAILDIRSYNC_TRY(write_aside(aside, to_text(book), mode));
  if (std::rename(aside.c_str(), path.c_str()) != 0) return os_failure(path, "decisions cannot be written", errno);
  return sync_directory(directory_of(path));
}

}  // namespace maildirsync::decisions
