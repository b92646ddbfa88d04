#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace maildirsync::cli {

/// Reads out of a mail server's own configuration where its Maildirs are. Pure: takes the output of `doveconf -n` and
/// `postconf`, or a list of paths.

/// Where accounts lie: `path` and `accounts` of a [[root]].
struct Place {
  std::string path;
  std::string accounts;
  bool operator==(const Place&) const = default;
};

struct Findings {
  std::optional<Place> place;
  std::string user;  ///< of all mail; "" when it is not one for all, or not said
  std::string group;
  std::vector<std::string> notes;  ///< sentences: what was found where, and what can't be used
};

/// Dovecot 2.3 (`mail_location`, userdb args) and 2.4 (`mail_driver`, `mail_path`, userdb fields).
Findings read_doveconf(const std::string& output);

/// Postfix's own virtual(8) delivery: `virtual_mailbox_base`, `virtual_uid_maps`; or `home_mailbox`.
Findings read_postconf(const std::string& output);

/// A Dovecot path of Maildirs, with its variables (%d, %Ln, %{user | username}, …), as a root and what is below it;
/// nothing when there is no variable in it. What stands for a hash or a part of a name becomes "*".
std::optional<Place> place_of(const std::string& path);

/// The layout of Maildirs that were found below a directory, from their paths relative to it; nothing when they don't
/// have one layout. Most paths must fit.
std::optional<std::string> layout_of(const std::vector<std::string>& maildirs);

/// A name for a root: the last part of its path that says something.
std::string root_name(const std::string& path);

}  // namespace maildirsync::cli
