#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace maildirsync::cli {

/// What a cutover does, in this order.
enum class Step { presync, freeze, flush, verify, indexes, switch_over, check, drain };

/// "presync", "freeze", "flush", "verify", "indexes", "switch", "check", "drain".
std::string_view name_of(Step step);
/// The step of that name.
std::optional<Step> step_of(std::string_view name);
/// What takes it back: "thaw", "unswitch", "mirror"; "" for what needs no undoing.
std::string_view undo_of(Step step);

/// Which commands were given; a step without its command is left out.
struct Script {
  bool freeze = false;
  bool thaw = false;
  bool switch_over = false;
  bool unswitch = false;
  bool check = false;
  bool rehearse = false;  ///< up to the verification, then the thaw
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
  not_begun,  ///< it was the next one when the cutover was interrupted
  unknown,    ///< it was begun, and how it ended is not known, or may hold no longer: it is done again
};

struct Done {
  Task task;
  End end = End::good;
  bool operator==(const Done&) const = default;
};

/// Whether a cutover goes on, or back.
enum class Way { on, back };

// All of these are pure. A history has a task more than once when it was done again; the last one counts, but a step
// that was ever begun is one that may stand.

/// What comes next after what was done so far; nothing at the end. A step that ends badly ends the cutover: it and the
/// steps before it are undone, the last one first. A switch that began and cannot be undone ends that: users may be at
/// the destination, so nothing is undone, and the source stays frozen. So it does when the undoing of the switch fails;
/// another undoing that fails holds up none of the rest.
std::optional<Task> next_task(const Script& script, const std::vector<Done>& history, Way way = Way::on);

/// Whether the switch was begun, and nothing undoes it.
bool is_past_return(const Script& script, const std::vector<Done>& history);

/// Whether all steps were done; of a rehearsal, the thaw too.
bool is_complete(const Script& script, const std::vector<Done>& history);

/// Whether something stands that is neither part of a complete cutover nor undone: a person has to go on, or back.
bool is_open(const Script& script, const std::vector<Done>& history);

/// Whether a step was begun, however it ended.
bool was_begun(const std::vector<Done>& history, Step step);

/// Whether it was on its way back: then it can only go on that way.
bool goes_back(const std::vector<Done>& history);

/// The history of a cutover that stopped, for one that goes on. Before the switch everything from the freeze on is done
/// again, since users may have come in; after it only the freeze (a reboot ends one) and what did not end well.
std::vector<Done> to_go_on(const std::vector<Done>& history);

/// The same for one that is taken back: what was undone stays so, and what was not is tried again.
std::vector<Done> to_go_back(const std::vector<Done>& history);

}  // namespace maildirsync::cli
