#pragma once

#include <cstdint>

#include "common/os/result.h"

namespace maildirsync::os {

/// Whose files an error is about, and so which service and which server a person must look at.
enum class Side : std::uint8_t { source, destination };

/// An error of the operating system (with an errno) as a whole sentence for the person who can mend it: what stands in
/// the way, on which side, and the command. The code becomes `immutable` where a flag of the file is the cause. Any
/// other error comes back as it is. Looks at the path, so it blocks.
Error explained(Error error, Side side);

}  // namespace maildirsync::os
