#include "cli/doctor/limits.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include <inotifytools/inotifytools.h>

#include "common/os/directory.h"

namespace maildirsync::cli {

namespace {

std::optional<std::uint64_t> number_in(const std::string& file) {
  const auto text = os::read_file(file, 64);
  std::uint64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

}  // namespace

std::optional<WatchLimit> watch_limit() {
  const int kernel = inotifytools_get_max_user_watches();  // 0: it can't be read
  const auto space = number_in("/proc/sys/user/max_inotify_watches");
  const auto most = static_cast<std::uint64_t>(std::max(kernel, 0));
  if (space && (most == 0 || *space < most)) return WatchLimit{"user.max_inotify_watches", *space};
  if (most == 0) return std::nullopt;
  return WatchLimit{"fs.inotify.max_user_watches", most};
}

std::uint64_t watches_for(std::uint64_t needed) {
  constexpr std::uint64_t k_least = 65'536;
  return std::max(k_least, std::bit_ceil(2 * needed));
}

}  // namespace maildirsync::cli
