#pragma once

#include <optional>
#include <string>

#include "cli/report/fields.h"

namespace maildirsync::cli {

constexpr double k_warn_lag_seconds = 60;
constexpr double k_crit_lag_seconds = 300;

/// The lag from which a status is not fine any more; absent: not given, and the defaults apply.
struct Thresholds {
  std::optional<double> warn_lag;
  std::optional<double> crit_lag;

  /// The warning never lies above the critical: a default gives way to the one that was asked for.
  double warn() const;
  double crit() const;
};

/// 0 fine, 1 lag of warn or more or a problem, 2 lag of crit or more, held, blocked or disconnected: a Nagios plugin's.
/// A lag that can't be known yet is 1 when a threshold was asked for, else fine. A receiver has no lag: it is 1 with a
/// problem, or when an agent that it knows is away for as long as a lag of warn, and 2 when it cannot write to a root.
/// It is 1 when accounts were asked for ("account_glob") and none matches.
int exit_status(const Json& status, const Thresholds& thresholds);

/// All problems, also those above the number that a status lists.
std::uint64_t problem_count(const Json& status);

/// The plugin's line with its performance data ("… | lag=0.0s;60;300;0 pending=0"), without an end of line.
std::string summary_line(const Json& status, const Thresholds& thresholds);

}  // namespace maildirsync::cli
