#include "common/os/name_service.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include <grp.h>
#include <nss.h>
#include <pwd.h>

#include "common/os/getent.h"
#include "common/os/host.h"

namespace maildirsync::os {

namespace {

constexpr std::size_t k_first_buffer = 16 * 1024;
constexpr std::size_t k_max_record = 4 * 1024 * 1024;  // a group with very many members

/// One of getpwnam_r and the like, with a buffer that is large enough.
template <class Record, class Key, class Lookup, class Take>
auto look_up(Key key, Lookup lookup, Take take) -> std::optional<decltype(take(Record()))> {
  for (std::vector<char> buffer(k_first_buffer); buffer.size() <= k_max_record; buffer.resize(buffer.size() * 2)) {
    Record record{};
    Record* found = nullptr;
    const int error = lookup(key, &record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (error != 0 || found == nullptr) return std::nullopt;
    return take(record);
  }
  return std::nullopt;
}

User to_user(const passwd& record) {
  return {record.pw_name, record.pw_uid, record.pw_gid};
}

Group to_group(const group& record) {
  return {record.gr_name, record.gr_gid};
}

/// This machine's, in a program of the bundle; else none.
Getent* machine() {
  static const auto getent = is_bundled() ? std::make_unique<Getent>(Getent::usual_programs()) : nullptr;
  return getent.get();
}

std::optional<std::vector<std::uint32_t>> groups_of(const User& user) {
  if (Getent* asked = machine()) return asked->groups_of(user.name);
  constexpr int k_few = 64;
  constexpr int k_most = 65536;  // NGROUPS_MAX
  std::vector<gid_t> groups(k_few);
  for (int count = k_few;;) {
    if (::getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) >= 0) {
      groups.resize(static_cast<std::size_t>(count));
      return groups;
    }
    if (groups.size() >= k_most) return std::nullopt;
    count = static_cast<int>(std::min<std::size_t>(
        k_most, std::max<std::size_t>(groups.size() * 2, static_cast<std::size_t>(std::max(count, 0)))));
    groups.resize(static_cast<std::size_t>(count));
  }
}

}  // namespace

void begin_name_service() {
  if (machine() == nullptr) return;
#ifdef __GLIBC__
  for (const char* database : {"passwd", "group", "initgroups", "shadow", "gshadow", "services", "protocols",
                               "networks", "ethers", "rpc", "netgroup", "aliases"})
    ::__nss_configure_lookup(database, "files");
  ::__nss_configure_lookup("hosts", "files dns");
#endif
}

std::optional<User> find_user(const std::string& name) {
  const auto found = look_up<passwd>(name.c_str(), ::getpwnam_r, to_user);
  return found || machine() == nullptr ? found : machine()->user(name);
}

std::optional<User> find_user(std::uint32_t uid) {
  const auto found = look_up<passwd>(uid, ::getpwuid_r, to_user);
  return found || machine() == nullptr ? found : machine()->user(uid);
}

std::optional<Group> find_group(const std::string& name) {
  const auto found = look_up<group>(name.c_str(), ::getgrnam_r, to_group);
  return found || machine() == nullptr ? found : machine()->group(name);
}

std::optional<Group> find_group(std::uint32_t gid) {
  const auto found = look_up<group>(gid, ::getgrgid_r, to_group);
  return found || machine() == nullptr ? found : machine()->group(gid);
}

std::string user_name(std::uint32_t uid) {
  const auto user = find_user(uid);
  return user ? user->name : "";
}

std::string group_name(std::uint32_t gid) {
  const auto group = find_group(gid);
  return group ? group->name : "";
}

std::optional<bool> is_member(std::uint32_t uid, std::uint32_t gid) {
  const auto user = find_user(uid);
  if (!user) return std::nullopt;
  if (user->gid == gid) return true;
  const auto groups = groups_of(*user);
  if (!groups) return std::nullopt;
  return std::find(groups->begin(), groups->end(), gid) != groups->end();
}

}  // namespace maildirsync::os
