#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/report/fields.h"

namespace maildirsync::cli {

struct CutoverArguments {
  std::string freeze, thaw, switch_over, unswitch;  ///< shell commands; empty: none
  bool deep = false;
  double timeout_seconds = 0;  ///< 0: no end
  bool yes = false;
};

/// Does the steps of a cutover of these roots, undoes them when one fails or at Ctrl-C, and tells of each on stderr and
/// in the agent's log. The result is complete, or names the step that stopped it and what was undone.
Json run_cutover(const Options& options, const CutoverArguments& arguments, const std::vector<std::string>& roots);

}  // namespace maildirsync::cli
