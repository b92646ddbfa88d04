#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/cutover/steps.h"
#include "cli/report/fields.h"

namespace maildirsync::cli {

/// What a cutover is to do.
struct CutoverOrder {
  std::string freeze, thaw, switch_over, unswitch, check;  ///< shell commands; empty: none
  bool rehearse = false;
  bool deep = false;
  double timeout_seconds = 0;       ///< 0: no end
  double hook_timeout_seconds = 0;  ///< for each of the commands; 0: no end
  std::vector<std::string> roots;
  std::vector<std::string> accounts;  ///< of `move`: only these of the roots, by name
  std::string to;                     ///< of `move`: the drained root whose accounts they become
  bool door = false;                  ///< the maps of agent.toml's [door] are written at freeze and switch
  /// What the words of a move differ in from those of a cutover.
  bool moves() const { return !accounts.empty(); }
};

Script script_of(const CutoverOrder& order);

/// A task that was done, or is being done.
struct CutoverEntry {
  Task task;
  End end = End::unknown;
  std::string began;    ///< RFC 3339
  std::string process;  ///< of its command (os::name_of_process); "" without one
  double elapsed_seconds = 0;
  std::string detail;
};

/// All that is known of a cutover; the agent keeps it (its state directory, `cutover`), so that it outlives the program
/// that does it.
struct CutoverRecord {
  CutoverOrder order;
  std::string by, began;
  std::vector<CutoverEntry> entries;
};

std::vector<Done> history_of(const CutoverRecord& record);

/// "running", "stopped", "complete" or "undone", for people; the rest is for read_record() and the agent. `holder`: the
/// program that works at it, "" when none does.
Json to_json(const CutoverRecord& record, const std::string& state, const std::string& holder);
/// Nothing for what is not a record that this version understands.
std::optional<CutoverRecord> read_record(const Json& json);

/// Where a cutover ended: "complete", "undone" (nothing of it stands) or "stopped".
std::string state_of(const Script& script, const std::vector<Done>& history);

}  // namespace maildirsync::cli
