#pragma once

#include <string>
#include <string_view>

namespace maildirsync::os {

/// A name from elsewhere made fit for a terminal or a log line: control characters (ASCII's, and Unicode's C1 as a
/// terminal may obey them) and bytes that are not UTF-8 become \xNN. All else stays as it is.
std::string printable(std::string_view text);

}  // namespace maildirsync::os
