#pragma once

#include "cli/command.h"

namespace maildirsync::cli {

/// `doctor`: checks of this server, one file a subject beside this one.
Run add_doctor(Parser& command);

}  // namespace maildirsync::cli
