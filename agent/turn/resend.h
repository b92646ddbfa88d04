#pragma once

#include <vector>

#include "agent/turn/work.h"

namespace maildirsync::agent {

/// Those that the destination has still as they were seen; the others are left to the comparison. Pure.
std::vector<Suspect> still_there(const sync::AccountManifest& listed, const std::vector<Suspect>& suspects);

/// Records each suspect in `before` as our file with old content, so that the plan replaces it at the destination: the
/// receiver then replaces exactly that file. Pure.
void replace_suspects(sync::AccountManifest& before, const std::vector<Suspect>& suspects);

/// The same for every control file, whatever it holds there.
void replace_control_files(sync::AccountManifest& before);

}  // namespace maildirsync::agent
