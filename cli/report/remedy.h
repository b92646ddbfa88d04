#pragma once

#include <string_view>

namespace maildirsync::cli {

/// What to do about a problem, by its code (docs/operations.md); "" for a code that is not known here.
std::string_view remedy(std::string_view code);

}  // namespace maildirsync::cli
