#pragma once

#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace maildirsync::agent {

/// The accounts that a request is about: those that its "accounts" names, or else that match its glob "account", or
/// else all. A value.
class ChosenAccounts {
 public:
  explicit ChosenAccounts(const nlohmann::json& request);

  bool contains(std::string_view name) const;
  bool is_all() const { return names_.empty() && glob_.empty(); }
  /// Each by its name: what lies beside them in a root is not asked about.
  bool is_by_name() const { return !names_.empty(); }
  /// The glob, or the names, for people.
  std::string text() const;

 private:
  std::string glob_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace maildirsync::agent
