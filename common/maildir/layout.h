#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::maildir {

/// Where each account's Maildir lies below its root, from the pattern in the configuration, such as "%d/%n/Maildir":
/// %d domain, %n local part, %u whole name, * anything; "%%" a percent sign.
class Layout {
 public:
  /// Wrong pattern: Error with ErrorCode::config and what is wrong in `detail`. At least one of %n, %u and %d must
  /// occur, each at most once; no component is empty, "." or "..".
  static Result<Layout> parse(std::string_view pattern);

  /// The number of directories from the root down to the account.
  std::size_t depth() const { return components_.size(); }

  /// Whether a directory name may stand at that depth (0: directly below the root). Names with a leading dot and
  /// "lost+found" match a placeholder never; a literal component matches only itself.
  bool matches(std::size_t depth, std::string_view name) const;

  /// The account's name for people: "%n@%d" when both are known, else what is known; nothing when the path (relative
  /// to the root, "/"-separated) does not fit the pattern.
  std::optional<std::string> account_name(std::string_view relative_path) const;

 private:
  struct Component {
    std::string pattern;
  };
  std::vector<Component> components_;
};

/// Shell-like match of a whole account name: * any run, ? one byte, no bracket expressions. Case is significant.
bool glob_match(std::string_view pattern, std::string_view text);
/// Whether a command with `--account glob` means this account; "" means all.
bool is_chosen(std::string_view glob, std::string_view account);

/// Whether an account is configured in: some include pattern matches and no exclude pattern does.
bool is_included(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
                 std::string_view account);

}  // namespace maildirsync::maildir
