#include "cli/ask/ask.h"
#include "cli/commands/commands.h"

namespace maildirsync::cli {

Run add_pause(Parser&) {
  return [](const Options& options) { return ask_and_tell(options, {{"command", "pause"}}); };
}

Run add_resume(Parser&) {
  return [](const Options& options) { return ask_and_tell(options, {{"command", "resume"}}); };
}

}  // namespace maildirsync::cli
