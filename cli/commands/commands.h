#pragma once

#include "cli/arguments.h"

namespace maildirsync::cli {

// A file each. A new command is its file, its name here, its line in main.cpp's table, and its place in the manual page
// and the completions, which the tests compare with the program.
AddCommand add_status, add_flush, add_verify, add_plan, add_cutover, add_pause, add_resume, add_release, add_reload,
    add_restore, add_disown, add_repair_index, add_drain, add_mirror, add_keygen, add_fingerprint, add_setup, add_pair,
    add_deploy, add_door, add_move;

}  // namespace maildirsync::cli
