#include "common/os/kept_times.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace maildirsync::os {

namespace {

constexpr std::int64_t k_second = 1'000'000'000;

/// The kernel stamps with a clock of 1 to 10 ms a tick.
constexpr std::int64_t k_tick = 10'000'000;

std::int64_t floor_to(std::int64_t time, std::int64_t grain) {
  const std::int64_t over = time % grain;
  return over == 0 ? time : over > 0 ? time - over : time - over - grain;
}

/// What the file shows after it was given the time.
std::optional<struct timespec> given(int fd, std::int64_t seconds, long nanoseconds) {
  const std::array<struct timespec, 2> times{timespec{0, UTIME_OMIT}, timespec{seconds, nanoseconds}};
  struct stat status {};
  if (::futimens(fd, times.data()) != 0 || ::fstat(fd, &status) != 0) return std::nullopt;
  return status.st_mtim;
}

/// The coarsest step that shows exactly that of an odd second and nine digits after the point.
std::int64_t measure_grain(int fd) {
  constexpr std::int64_t k_odd_second = 1'111'111'111;
  constexpr long k_digits = 123'456'789;
  const auto shown = given(fd, k_odd_second, k_digits);
  if (!shown) return 1;
  for (const std::int64_t grain : {std::int64_t{1}, std::int64_t{100}, std::int64_t{1000}, std::int64_t{1'000'000},
                                   std::int64_t{10'000'000}, k_second}) {
    if (nanoseconds(*shown) == floor_to(k_odd_second * k_second + k_digits, grain)) return grain;
  }
  return 2 * k_second;
}

KeptTimes measure(int fd) {
  constexpr std::int64_t k_far = std::int64_t{1} << 40;  // s; beyond what any file system keeps
  KeptTimes times;
  times.grain = measure_grain(fd);
  // Where the call fails, or the time wraps, the limit is not known.
  if (const auto last = given(fd, k_far, 0); last && last->tv_sec > 0) times.latest = nanoseconds(*last);
  if (const auto first = given(fd, -k_far, 0); first && first->tv_sec <= 0) times.earliest = nanoseconds(*first);
  return times;
}

}  // namespace

std::int64_t KeptTimes::kept(std::int64_t time) const {
  if (time >= latest) return latest;
  if (time <= earliest) return earliest;
  return std::max(earliest, floor_to(time, grain));
}

bool KeptTimes::holds(std::int64_t time) const {
  return time >= earliest && (time <= latest || time - latest < k_second);
}

Result<KeptTimes> measure_kept_times(const Directory& directory) {
  if (auto unnamed = directory.open("", O_TMPFILE | O_RDWR, 0600)) return measure(unnamed->get());
  static std::atomic<unsigned> counter = 0;
  const std::string name = ".maildirsync.times." + std::to_string(::getpid()) + "." + std::to_string(++counter);
  MAILDIRSYNC_ASSIGN(auto named, directory.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  ::unlinkat(directory.fd(), name.c_str(), 0);
  return measure(named.get());
}

std::int64_t grain_shown_by(std::int64_t stamp) {
  if (stamp % k_second != 0) return k_tick;
  return stamp % (2 * k_second) == 0 ? 2 * k_second : k_second;
}

std::int64_t trusted_from(std::int64_t stamp) {
  if (stamp > std::numeric_limits<std::int64_t>::max() - 3 * k_second) return stamp;
  const std::int64_t grain = grain_shown_by(stamp);
  return stamp + (grain > k_tick ? grain + k_tick : k_tick);
}

}  // namespace maildirsync::os
