#pragma once

#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/accounts/roster.h"

namespace maildirsync::agent {

/// The roots that a request is about: those that its "roots" names, else all. A value.
class ChosenRoots {
 public:
  ChosenRoots(const nlohmann::json& request, const Roster& roster);

  bool contains(const Root& root) const { return all_ || names_.contains(root.config.name); }
  bool is_all() const { return all_; }
  /// What is wrong with the names; "" when nothing is.
  const std::string& error() const { return error_; }

 private:
  bool all_ = true;
  std::set<std::string> names_;
  std::string error_;
};

}  // namespace maildirsync::agent
