#pragma once

#include <optional>
#include <string>

#include "cli/fields.h"
#include "cli/format.h"
#include "cli/health.h"

namespace maildirsync::cli {

/// What went on between two samples of a status, a second.
struct Rates {
  double messages = 0;
  double bytes_source = 0;
  double bytes_wire = 0;
};

/// Nothing when no time passed or when the daemon counted anew in between.
std::optional<Rates> rates_between(const Json& before, const Json& after, double seconds);

/// A status for people: the plugin's line, then peers, totals, rates, roots, accounts and problems with remedies, as
/// far as the status has them.
std::string status_text(const Json& status, const Thresholds& thresholds, const std::optional<Rates>& rates,
                        Colour colour);

}  // namespace maildirsync::cli
