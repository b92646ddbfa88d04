#include "common/os/owner_names.h"

#include <algorithm>
#include <array>
#include <vector>

#include <grp.h>
#include <pwd.h>

namespace maildirsync::os {

std::string user_name(std::uint32_t uid) {
  std::array<char, 4096> buffer{};
  passwd record{};
  passwd* found = nullptr;
  return ::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) == 0 && found != nullptr ? found->pw_name
                                                                                                   : "";
}

std::string group_name(std::uint32_t gid) {
  std::array<char, 16384> buffer{};
  group record{};
  group* found = nullptr;
  return ::getgrgid_r(gid, &record, buffer.data(), buffer.size(), &found) == 0 && found != nullptr ? found->gr_name
                                                                                                   : "";
}

std::optional<bool> is_member(std::uint32_t uid, std::uint32_t gid) {
  std::array<char, 4096> buffer{};
  passwd record{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return std::nullopt;
  constexpr int k_few = 64;
  constexpr int k_most = 65536;  // NGROUPS_MAX
  std::vector<gid_t> groups(k_few);
  for (int count = k_few;;) {
    if (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) >= 0) {
      groups.resize(static_cast<std::size_t>(count));
      break;
    }
    if (groups.size() >= k_most) return std::nullopt;
    count = static_cast<int>(std::min<std::size_t>(
        k_most, std::max<std::size_t>(groups.size() * 2, static_cast<std::size_t>(std::max(count, 0)))));
    groups.resize(static_cast<std::size_t>(count));
  }
  return std::find(groups.begin(), groups.end(), gid) != groups.end();
}

}  // namespace maildirsync::os
