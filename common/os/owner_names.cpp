#include "common/os/owner_names.h"

#include <array>

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

}  // namespace maildirsync::os
