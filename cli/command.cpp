#include "cli/command.h"

#include <charconv>
#include <cmath>

namespace maildirsync::cli {

std::string check_seconds(const std::string& text) {
  double seconds = 0;
  const char* const end_of_text = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), end_of_text, seconds);
  const bool good = error == std::errc() && end == end_of_text && std::isfinite(seconds) && seconds >= 0;
  return good ? "" : "'" + text + "' is not a number of seconds";
}

std::string check_glob(const std::string& text) {
  return text.empty() ? "the glob is empty; all accounts are '*'" : "";
}

}  // namespace maildirsync::cli
