#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::os {

// Files that are there as they were or as they are now, also after a power cut: the new text is written to a file
// beside it (`path`.new), which then takes its place. It is on the disk when these return; after an error, the old file
// stays and nothing is left beside it. They block.

/// `mode` is that of the new file, less the umask.
Result<> replace_file(const std::string& path, std::string_view text, unsigned mode = 0600);

/// The same with mode 0600, and the new file, open for writing and with these flags besides (O_APPEND).
Result<Fd> replace_and_open(const std::string& path, std::string_view text, int flags = 0);

/// Hears the path of the new file before it counts; its error keeps the old one.
using CheckOfNew = std::function<Result<>(const std::string& path)>;

/// For a file of the administrator's: it keeps the owner and mode of the one that was there (else 0644, whatever the
/// umask).
Result<> replace_file_of_others(const std::string& path, std::string_view text, const CheckOfNew& check = {});

}  // namespace maildirsync::os
