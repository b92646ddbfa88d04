#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace maildirsync::os {

// Users and groups of this machine. Thread-safe; may block for as long as a directory service takes.
//
// A program of the bundle brings its own C library, and the modules of this machine's name service (SSSD, LDAP,
// winbind, systemd) are made for another one: loaded here, they may end the process. Such a program reads /etc/passwd
// and /etc/group itself, and asks this machine's getent(1) for whomever these do not have. A program that uses this
// machine's C library lets that one do all of it.

/// In a program of the bundle, keeps its C library from loading this machine's modules: host names come from /etc/hosts
/// and by DNS (resolv.conf). Must be called before any thread is started. Does nothing elsewhere.
void begin_name_service();

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const User&) const = default;
};

struct Group {
  std::string name;
  std::uint32_t gid = 0;
  bool operator==(const Group&) const = default;
};

/// Nothing for one that does not exist, or that the name service does not tell of. A name of digits is a name.
std::optional<User> find_user(const std::string& name);
std::optional<User> find_user(std::uint32_t uid);
std::optional<Group> find_group(const std::string& name);
std::optional<Group> find_group(std::uint32_t gid);

/// The name of an id, or "".
std::string user_name(std::uint32_t uid);
std::string group_name(std::uint32_t gid);
/// Whether a user is in a group, as their own or as another; nothing for a user without a name.
std::optional<bool> is_member(std::uint32_t uid, std::uint32_t gid);

}  // namespace maildirsync::os
