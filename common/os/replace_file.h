#pragma once

#include <string>
#include <string_view>

#include "common/os/result.h"

namespace maildirsync::os {

/// Puts a file with this text in the place of whatever has the path, by a new file beside it (`path`.new): after a
/// power cut it is there as it was, or as it is now. It is on the disk when this returns. Blocks.
Result<> replace_file(const std::string& path, std::string_view text, unsigned mode = 0600);

}  // namespace maildirsync::os
