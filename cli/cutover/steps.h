#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace maildirsync::cli {

/// What a cutover does, in this order.
enum class Step { presync, freeze, flush, verify, switch_over, drain };

/// "presync", "freeze", "flush", "verify", "switch", "drain".
std::string_view name_of(Step step);
/// What takes it back: "thaw", "unswitch", "mirror"; "" for what needs no undoing.
std::string_view undo_of(Step step);

/// Which commands were given; a step without its command is left out.
struct Script {
  bool freeze = false;
  bool thaw = false;
  bool switch_over = false;
  bool unswitch = false;
};

/// A step, or its undoing.
struct Task {
  Step step = Step::presync;
  bool undoes = false;
  bool operator==(const Task&) const = default;
};

enum class End {
  good,
  bad,        ///< it may be done in part
  not_begun,  ///< it was to be next when the cutover was interrupted
};

struct Done {
  Task task;
  End end = End::good;
};

/// What comes next after what was done so far; nothing at the end. A step that ends badly ends the cutover: it and the
/// steps before it are undone, the last one first, and an undoing that fails does not keep back the others. Once the
/// switch is done and cannot be undone, nothing is: the users are at the destination. Pure.
std::optional<Task> next_task(const Script& script, const std::vector<Done>& history);

/// Whether it is too late to stop: the switch is done, and nothing undoes it.
bool is_past_return(const Script& script, const std::vector<Done>& history);

/// Whether all steps were done.
bool is_complete(const Script& script, const std::vector<Done>& history);

}  // namespace maildirsync::cli
