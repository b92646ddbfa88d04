#pragma once

#include <string>

#include "cli/report/fields.h"

namespace maildirsync::cli {

/// The record of a cutover as a page to keep: who and when, each step and what it took, the comparison, and what each
/// account held. `answer`: what `cutover --json` prints; `status`: the agent's, with its accounts. Pure.
std::string cutover_html(const Json& answer, const Json& status, const std::string& host);

}  // namespace maildirsync::cli
