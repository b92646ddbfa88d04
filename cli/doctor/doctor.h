#pragma once

#include "cli/arguments.h"

namespace maildirsync::cli {

/// `doctor`: checks of this server, one file a subject beside this one.
Run add_doctor(Parser& command);

}  // namespace maildirsync::cli
