#pragma once

#include <vector>

#include "agent/turn/work.h"

namespace maildirsync::agent {

/// Makes suspects ours and stale in `before`, so that the plan sends them again in the place of what is there now: the
/// receiver then replaces exactly that file. Those that the destination does not have any more as they were seen
/// (`listed`) are left to the comparison. Pure.
void distrust(sync::AccountManifest& before, const sync::AccountManifest& listed, const std::vector<Suspect>& suspects);

/// Makes every control file in `before` another than the source's.
void distrust_control_files(sync::AccountManifest& before);

}  // namespace maildirsync::agent
