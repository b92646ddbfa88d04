#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::cli {

/// The one line that each side prints for the other. What is in it is not secret, but it must be right: it says whom to
/// trust, so it travels over ssh or a console.
///
///     maildirsync-pair v1 receiver new.example.org:4465 sha256:…
///     maildirsync-pair v1 agent old.example.org sha256:… root=vhosts,/var/mail/vhosts,vmail:5000,vmail:5000
///
/// A root has a name, a path, and the users and the groups of its mail, the most frequent first, with "+" between them;
/// "*" for more than a table should hold. Other bytes than letters, digits and "._-/@" are written as %XX.

enum class Role { agent, receiver };

struct OfferedOwner {
  std::string name;  ///< "" when the source has none for the number
  std::uint32_t id = 0;
  bool operator==(const OfferedOwner&) const = default;
};

struct OfferedRoot {
  std::string name;
  std::string path;
  bool many_owners = false;  ///< users and groups are not listed then
  std::vector<OfferedOwner> users;
  std::vector<OfferedOwner> groups;
  bool operator==(const OfferedRoot&) const = default;
};

struct PairLine {
  Role role = Role::receiver;  ///< of the side that printed it
  std::string address;         ///< receiver: host:port for the agent to connect to; agent: the name of its host
  std::string fingerprint;
  std::vector<OfferedRoot> roots;  ///< the agent's
  bool operator==(const PairLine&) const = default;
};

const char* role_word(Role role);

std::string format_pair_line(const PairLine& line);

/// Takes what was pasted, also with the line breaks of a terminal between its words. ErrorCode::config with one
/// sentence about what is wrong with it.
Result<PairLine> parse_pair_line(const std::string& text);

}  // namespace maildirsync::cli
