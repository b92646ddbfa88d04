#pragma once

#include <vector>

#include "agent/turn/work.h"

namespace maildirsync::agent {

/// Records each suspect in `before` as our file with old content, so that the plan replaces it at the destination: the
/// receiver then replaces exactly that file. Those that the destination does not have any more as they were seen
/// (`listed`) are left to the comparison. Pure.
void replace_suspects(sync::AccountManifest& before, const sync::AccountManifest& listed,
                      const std::vector<Suspect>& suspects);

/// The same for every control file, whatever it holds there.
void replace_control_files(sync::AccountManifest& before);

}  // namespace maildirsync::agent
