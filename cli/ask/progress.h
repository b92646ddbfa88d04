#pragma once

#include "cli/ask/terminal.h"
#include "cli/report/fields.h"

namespace maildirsync::cli {

// The agent's progress lines on the bar.

void show_flush_progress(ProgressBar& bar, const Json& line);
void show_plan_progress(ProgressBar& bar, const Json& line);
void show_verify_progress(ProgressBar& bar, const Json& line);

}  // namespace maildirsync::cli
