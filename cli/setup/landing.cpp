#include "cli/setup/landing.h"

#include <cerrno>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/setup/owners.h"
#include "common/os/name_service.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

LocalOwners local_owners(const Survey& survey) {
  return {[](const std::string& name) { return os::find_user(name).has_value(); },
          [](const std::string& name) { return os::find_group(name).has_value(); }, survey.user, survey.group};
}

std::string owners_text(const OfferedRoot& offer, const config::Owner& owner) {
  if (owner.policy == config::OwnerPolicy::name) return "each file belongs to the user and group of the same name here";
  std::string text;
  for (const auto& user : offer.users) {
    const std::string source = user.name.empty() ? std::to_string(user.id) : user.name;
    if (const auto here = owner.users.find(source); here != owner.users.end())
      text += fmt::format("{}{} there is {} here", text.empty() ? "" : ", ", source, here->second);
  }
  if (owner.unmapped != "reject")
    text += fmt::format("{}all else is {} here", text.empty() ? "" : ", ", owner.unmapped);
  return text;
}

std::optional<std::uint32_t> id_of(const std::string& text, bool user) {
  if (user) {
    if (const auto found = os::find_user(text)) return found->uid;
  } else if (const auto found = os::find_group(text)) {
    return found->gid;
  }
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(text));
}

/// A daemon refuses a table with somebody who does not exist.
Result<> check_owners(const config::Owner& owner) {
  const auto missing = [](const std::string& name, bool user) {
    return failure(
        ErrorCode::config, "",
        fmt::format("the {} {} does not exist here; make it ({} --system {}), or say who owns the mail here with "
                    "--owner USER:GROUP",
                    user ? "user" : "group", name, user ? "useradd" : "groupadd", name));
  };
  for (const auto& [source, here] : owner.users) {
    if (!id_of(here, true)) return missing(here, true);
  }
  for (const auto& [source, here] : owner.groups) {
    if (!id_of(here, false)) return missing(here, false);
  }
  const std::size_t colon = owner.unmapped.find(':');
  if (colon == std::string::npos) return {};
  if (!id_of(owner.unmapped.substr(0, colon), true)) return missing(owner.unmapped.substr(0, colon), true);
  if (!id_of(owner.unmapped.substr(colon + 1), false)) return missing(owner.unmapped.substr(colon + 1), false);
  return {};
}

/// Makes the last directory of a root's path, for the owner of most of its mail. Not the ones above it: where they
/// lack, a volume is missing.
Result<bool> make_root(const OfferedRoot& offer, const config::PeerRoot& root) {
  struct stat status {};
  if (::stat(root.path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return false;
    return failure(ErrorCode::config, root.path, "the place for the mail is no directory; name another with --path");
  }
  if (::mkdir(root.path.c_str(), 0770) != 0) {
    return os_failure(root.path,
                      "the directory for the mail can't be made; make or mount it, or name another with --path", errno);
  }
  const auto here = [&](const auto& table, const auto& offered, std::size_t part) {
    if (!offered.empty()) {
      const auto found = table.find(std::to_string(offered.front().id));
      if (found != table.end()) return found->second;
    }
    const std::size_t colon = root.owner.unmapped.find(':');
    if (colon == std::string::npos) return std::string();
    return part == 0 ? root.owner.unmapped.substr(0, colon) : root.owner.unmapped.substr(colon + 1);
  };
  const auto user = id_of(here(root.owner.users, offer.users, 0), true);
  const auto group = id_of(here(root.owner.groups, offer.groups, 1), false);
  if (user && group && ::chown(root.path.c_str(), *user, *group) != 0 && errno != EPERM)
    return os_failure(root.path, "the new directory can't be given to its owner", errno);
  return true;
}

/// Where a root lands when nobody said it: where this machine's own mail server has its mail, if there is one root and
/// one such place; else where it is at the source.
std::string path_for(const OfferedRoot& offer, const Wish& wish, const Survey& survey) {
  struct stat status {};
  const bool same_exists = ::stat(offer.path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (!same_exists && wish.is_only && survey.roots.size() == 1) return survey.roots.front().path;
  return offer.path;
}

}  // namespace

Result<Landing> land(const OfferedRoot& offer, const Wish& wish, const Survey& survey) {
  Landing landing{{offer.name, wish.path.empty() ? path_for(offer, wish, survey) : wish.path}, ""};
  config::PeerRoot& root = landing.root;
  if (!root.path.starts_with('/'))
    return failure(ErrorCode::config, "", "--path " + root.path + " is not absolute; write a path that begins with /");
  MAILDIRSYNC_ASSIGN(auto owner, map_owners(offer, local_owners(survey), wish.owner));
  root.owner = std::move(owner);
  MAILDIRSYNC_TRY(check_owners(root.owner));
  MAILDIRSYNC_ASSIGN(const auto made, make_root(offer, root));
  landing.note = fmt::format("the root {} lands in {}{}; {}", os::printable(root.name), os::printable(root.path),
                             made ? ", which was made" : "", owners_text(offer, root.owner));
  return landing;
}

}  // namespace maildirsync::cli
