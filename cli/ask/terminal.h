#pragma once

#include <string>

#include "cli/options.h"

namespace maildirsync::cli {

/// Whether a stream (STDOUT_FILENO, STDERR_FILENO) is a terminal that gets colours, progress and pictures that
/// change in place: not with NO_COLOR (no-color.org), not with --json, not on a dumb terminal.
bool is_decorated(int fd, const Options& options);

struct TerminalSize {
  std::size_t rows = 24;
  std::size_t columns = 80;
};
TerminalSize terminal_size(int fd);

/// A bar on stderr that says how far something is, while it is shown; nothing where no decoration is wanted.
class ProgressBar {
 public:
  explicit ProgressBar(const Options& options);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  /// `share`: from 0 to 1.
  void show(double share, const std::string& text);

 private:
  bool enabled_;
  bool shown_ = false;
};

}  // namespace maildirsync::cli
