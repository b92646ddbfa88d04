#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/cutover/attempts.h"
#include "cli/cutover/record.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

/// A cutover at its end, or where it stopped.
struct Outcome {
  const CutoverRecord& record;
  const std::vector<Done>& history;  ///< by which it went on; `record` has what earlier programs did, too
  const CutoverFindings& findings;
  std::string stopped_at, reason;  ///< "" when it is complete
  double elapsed_seconds = 0;
  std::optional<double> window_seconds;  ///< since the freeze began until users were served again
};

/// What is left to a person, and how; "" when nothing is.
std::string remedy_of(const Script& script, const std::vector<Done>& history);

/// What `cutover --json` prints.
Json to_json(const Outcome& outcome);

/// That answer for people.
std::string cutover_text(const Json& answer, Colour colour);

}  // namespace maildirsync::cli
