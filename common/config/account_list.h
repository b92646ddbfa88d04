#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::config {

/// Accounts by name, thousands of them, and by glob. A value.
class AccountList {
 public:
  /// A name, or a glob if there is a "*" in it.
  void add(std::string name);
  bool contains(std::string_view account) const;
  bool empty() const { return names_.empty() && globs_.empty(); }
  /// Those that are no globs.
  const std::set<std::string, std::less<>>& names() const { return names_; }

 private:
  std::set<std::string, std::less<>> names_;
  std::vector<std::string> globs_;
};

/// One name or glob a line; "#" begins a comment. Pure.
AccountList parse_account_list(std::string_view text);
/// The text of a list with these names in it, or without them; comments and all other lines stay. Pure.
std::string with_names(std::string_view text, const std::vector<std::string>& names);
std::string without_names(std::string_view text, const std::vector<std::string>& names);

/// ErrorCode::config when it cannot be read. Blocks.
Result<AccountList> read_account_list(const std::string& path);

}  // namespace maildirsync::config
