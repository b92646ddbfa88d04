#include "common/os/clock.h"

#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>

namespace maildirsync::os {

namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::int64_t k_latest = 200LL * 366 * 24 * 3600 * k_second;  // in the year 2170

}  // namespace

std::int64_t wall_clock() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * k_second + now.tv_nsec;
}

std::optional<double> clock_offset(std::int64_t theirs, std::int64_t sent, std::int64_t received) {
  if (theirs <= 0 || theirs > k_latest) return std::nullopt;
  const std::int64_t middle = sent + (received - sent) / 2;
  return static_cast<double>(theirs - middle) / static_cast<double>(k_second);
}

std::string stamp_of(std::time_t moment) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(moment));
}

double seconds_since(std::chrono::steady_clock::time_point moment) {
  return std::max(0.0, std::chrono::duration<double>(std::chrono::steady_clock::now() - moment).count());
}

std::string stamp_of(std::chrono::steady_clock::time_point moment) {
  const auto ago = std::chrono::steady_clock::now() - moment;
  const auto then =
      std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(ago);
  return stamp_of(std::chrono::system_clock::to_time_t(then));
}

}  // namespace maildirsync::os
