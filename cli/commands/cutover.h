#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/cutover/record.h"

namespace maildirsync::cli {

/// What `cutover` and `move` are told.
struct CutoverArguments {
  CutoverOrder order;
  std::vector<std::string> groups;  ///< roots; none: all
  std::optional<double> timeout, hook_timeout;
  bool resume = false, undo = false, yes = false;
  std::string html;
};

/// The options that both take.
void add_cutover_options(Parser& command, CutoverArguments& arguments);

/// A cutover of roots, or of the accounts that the order names; gives the exit status.
int cutover(const Options& options, const CutoverArguments& arguments);

}  // namespace maildirsync::cli
