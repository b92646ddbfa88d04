#pragma once

#include "cli/setup/places.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Puts a pause among the decisions of an agent that does not run, so that it copies nothing from its first moment on
/// until `resume`. On the disk when it returns. Blocks.
Result<> start_paused(const Places& places);

}  // namespace maildirsync::cli
