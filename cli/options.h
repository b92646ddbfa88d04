#pragma once

#include <functional>
#include <string>

namespace maildirsync::cli {

/// What every command takes.
struct Options {
  std::string control;  ///< the socket; empty: the default one that exists
  bool json = false;
};

/// docs/man/maildirsync.1, "EXIT STATUS"; `status` has a Nagios plugin's meanings for the same numbers.
constexpr int k_exit_done = 0;
constexpr int k_exit_incomplete = 1;
constexpr int k_exit_usage = 2;
constexpr int k_exit_unreachable = 3;

/// Runs a command whose arguments are parsed; gives its exit status.
using Run = std::function<int(const Options&)>;

}  // namespace maildirsync::cli
