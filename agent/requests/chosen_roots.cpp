#include "agent/requests/chosen_roots.h"

#include <algorithm>

namespace maildirsync::agent {

ChosenRoots::ChosenRoots(const nlohmann::json& request, const Roster& roster) {
  const auto named = request.find("roots");
  if (named == request.end() || named->empty()) return;
  all_ = false;
  for (const auto& one : *named) {
    const auto name = one.get<std::string>();
    const bool is_there = std::any_of(roster.roots.begin(), roster.roots.end(),
                                      [&](const Root& root) { return !root.removed && root.config.name == name; });
    if (!is_there) error_ = "there is no root '" + name + "' in the configuration";
    names_.insert(name);
  }
}

}  // namespace maildirsync::agent
