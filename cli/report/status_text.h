#pragma once

#include <optional>
#include <string>

#include "cli/report/fields.h"
#include "cli/report/format.h"
#include "cli/report/health.h"

namespace maildirsync::cli {

/// What went on between two samples of a status, a second.
struct Rates {
  double messages = 0;
  double bytes_source = 0;
  double bytes_wire = 0;
};

/// Nothing when no time passed or when the daemon counted anew in between.
std::optional<Rates> rates_between(const Json& before, const Json& after, double seconds);

/// How many problems of a kind are named.
enum class Problems { first_ones, all };

/// A status for people, as far as the status has it: the plugin's line, the kinds of problems so that a screen of 80 by
/// 24 holds them, peers, roots, accounts, the problems with remedies, then totals and the rest.
std::string status_text(const Json& status, const Thresholds& thresholds, const std::optional<Rates>& rates,
                        Problems shown, Colour colour);

}  // namespace maildirsync::cli
