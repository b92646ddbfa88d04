#include "daemon/session/run_mark.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <sys/stat.h>
#include <unistd.h>

#include "common/os/directory.h"
#include "common/os/path.h"
#include "common/os/replace_file.h"

namespace maildirsync::daemon {

namespace {

// Longer than any file system waits by itself before it writes what is dirty (30 s; with commit= up to 300 s), and than
// a sign of life may be old.
constexpr std::int64_t k_look_back = 600'000'000'000;
constexpr std::size_t k_most = 128;

std::string mark_of(const std::string& state_dir) {
  return state_dir + "/running";
}

/// "2 1700000000000000000". One that cannot be read has us begin with a number that no agent knows.
std::optional<UncleanEnd> read_end(const std::string& path) {
  const auto text = os::read_file(path, k_most);
  if (!text) return std::nullopt;
  UncleanEnd end;
  const char* const last = text->data() + text->size();
  const auto number = std::from_chars(text->data(), last, end.number);
  if (number.ec != std::errc() || number.ptr == last) return UncleanEnd{.number = 1'000'000};
  std::from_chars(number.ptr + 1, last, end.since);
  return end;
}

}  // namespace

Result<RunMark> RunMark::begin(const std::string& state_dir, const std::string& boot) {
  const std::string mark = mark_of(state_dir), told = state_dir + "/unclean-end";
  auto last = read_end(told);
  const auto before = os::read_file(mark, k_most);
  const bool is_unclean = before && (boot.empty() || *before != boot);
  if (is_unclean) {
    struct stat status {};
    if (::stat(mark.c_str(), &status) != 0) return os_failure(mark, "cannot stat", errno);
    const auto since = std::max<std::int64_t>(0, os::nanoseconds(status.st_mtim) - k_look_back);
    last = UncleanEnd{last ? last->number + 1 : 1, since};
    MAILDIRSYNC_TRY(os::replace_file(told, std::to_string(last->number) + " " + std::to_string(last->since) + "\n"));
  }
  MAILDIRSYNC_ASSIGN(auto own, os::replace_and_open(mark, boot));
  return RunMark(state_dir, std::move(own), last, is_unclean);
}

void RunMark::live() const {
  const struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  ::futimens(mark_.get(), times);  // an older sign of life only has more looked at
}

void RunMark::end() {
  ::unlink(mark_of(state_dir_).c_str());
  const auto synced = os::sync_directory(state_dir_);  // if not: an end that is taken for an unclean one
  static_cast<void>(synced);
}

}  // namespace maildirsync::daemon
