#pragma once

#include <string>

#include "cli/report/fields.h"
#include "cli/report/format.h"

namespace maildirsync::cli {

/// What a verification compared; shown at the head of its report.
struct Compared {
  std::string source;
  std::string destination;
  std::string accounts;  ///< the glob; empty: all
  std::string time;      ///< RFC 3339, UTC
};

/// What becomes of the differences that are extra, and by which command; "" where there are none.
std::string extra_text(const Json& answer);
/// The agent's answer to `verify` for people: every difference, then the verdict.
std::string verify_text(const Json& answer, Colour colour);
/// The same as a page.
std::string verify_html(const Json& answer, const Compared& compared);

}  // namespace maildirsync::cli
