#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

namespace maildirsync::os {

/// Nanoseconds since the epoch.
std::int64_t wall_clock();

/// A moment as people and programs read it: "2026-11-28T13:33:55Z" (RFC 3339).
std::string stamp_of(std::time_t moment);

/// Of a moment by the steady clock: the seconds since, and not less than 0; and its stamp, as far back from now as that
/// clock says.
double seconds_since(std::chrono::steady_clock::time_point moment);
std::string stamp_of(std::chrono::steady_clock::time_point moment);

/// A peer's clock minus ours in seconds, from the time in its answer to what we sent; all wall clocks in nanoseconds.
/// Right to half of the time that the answer took. Nothing when the peer did not say its time (0) or says nonsense.
std::optional<double> clock_offset(std::int64_t theirs, std::int64_t sent, std::int64_t received);

/// From this many seconds on, two clocks are not the same: it is a problem.
inline constexpr double k_clock_tolerance = 60;

}  // namespace maildirsync::os
