#pragma once

#include <string>

#include "cli/report/fields.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

/// Where a plan was made; shown at the head of its report.
struct PlanHead {
  std::string source;
  std::string accounts;  ///< the glob; empty: all
  std::string time;      ///< RFC 3339, UTC
};

/// The agent's answer to `plan` for people: the largest accounts, what was found, what must be put right first.
std::string plan_text(const Json& answer, Colour colour);
/// The same as a page, with all accounts.
std::string plan_html(const Json& answer, const PlanHead& head);

}  // namespace maildirsync::cli
