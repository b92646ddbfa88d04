#include "cli/ask/terminal.h"

#include <cstdlib>
#include <iostream>
#include <string_view>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/report/format.h"

namespace maildirsync::cli {

bool is_decorated(int fd, const Options& options) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !options.json && (no_color == nullptr || *no_color == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb" && ::isatty(fd) == 1;
}

TerminalSize terminal_size(int fd) {
  struct winsize size {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

ProgressBar::ProgressBar(const Options& options) : enabled_(is_decorated(STDERR_FILENO, options)) {}

ProgressBar::~ProgressBar() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressBar::show(double share, const std::string& text) {
  if (!enabled_) return;
  shown_ = true;
  std::string line = fmt::format("{} {:3.0f} %  {}", format_bar(share, 24), share * 100, text);
  line.resize(std::min(line.size(), terminal_size(STDERR_FILENO).columns - 1));  // the text is ASCII
  std::cerr << '\r' << line << "\x1b[K" << std::flush;
}

}  // namespace maildirsync::cli
