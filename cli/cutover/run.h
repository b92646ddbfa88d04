#pragma once

#include <string>

#include "cli/cutover/record.h"
#include "cli/options.h"

namespace maildirsync::cli {

/// Does the steps of a cutover, undoes them when one fails or at Ctrl-C, and tells of each on stderr, in the agent's
/// log, and in the record that the agent keeps: there before each begins. `record`: a new one, or one that stopped,
/// with what was done until then; it was found in the hands of `found_holder`. With Way::back it is only undone. The
/// result is complete, or names the step that stopped it and what was undone.
Json run_cutover(const Options& options, CutoverRecord record, const std::string& found_holder, Way way);

}  // namespace maildirsync::cli
