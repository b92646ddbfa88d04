// File systems that are mounted below a root at the source. One that is not mounted looks like mail that was deleted:
// so what was mounted where is remembered, and what lies there is held until it is back, whatever its size. That within
// accounts is found by their turns (turn/mounts_below.h), that above them by the walks of their root.

#include "agent/accounts/mount_holds.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include "common/service/event.h"

namespace maildirsync::agent {

namespace {

/// Paths hold no NUL.
std::string to_text(const MountsAbove& mounts) {
  std::string text;
  for (const auto& [path, mount] : mounts)
    text += std::to_string(mount) + ' ' + path + '\0';
  return text;
}

MountsAbove mounts_of(std::string_view text) {
  MountsAbove mounts;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\0'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto space = line.find(' ');
    std::uint64_t mount = 0;
    if (space == std::string_view::npos) continue;
    if (std::from_chars(line.data(), line.data() + space, mount).ec == std::errc())
      mounts.emplace(line.substr(space + 1), mount);
  }
  return mounts;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory + '/');
}

std::uint64_t at(const MountsAbove& mounts, const std::string& path) {
  const auto found = mounts.find(path);
  return found == mounts.end() ? 0 : found->second;
}

}  // namespace

Result<> MountHolds::recall(Root& root) const {
  MAILDIRSYNC_ASSIGN(auto file_system, state_.value("file-system:" + root.config.name));
  root.file_system = file_system.value_or("");
  MAILDIRSYNC_ASSIGN(const auto inode, state_.value("directory:" + root.config.name));
  root.inode = inode ? std::strtoull(inode->c_str(), nullptr, 10) : 0;
  MAILDIRSYNC_ASSIGN(auto mounts, state_.value("mounts:" + root.config.name));
  root.mounts = mounts_of(mounts.value_or(""));
  return {};
}

/// What is away stays in mind while accounts are held for it.
void MountHolds::remember(Root& root, const MountsAbove& now, const std::string& file_system, std::uint64_t inode) {
  MountsAbove mounts = now;
  for (const Account* account : roster_.accounts_of(roster_.index_of(root))) {
    if (!account->held || account->hold_code != ErrorCode::mount_gone) continue;
    for (const auto& [path, mount] : root.mounts) {
      if (is_below(account->path, path)) mounts[path] = mount;
    }
  }
  const bool is_same =
      mounts == root.mounts && (file_system.empty() || (file_system == root.file_system && inode == root.inode));
  if (is_same) return;
  root.mounts = std::move(mounts);
  if (!file_system.empty()) {
    root.file_system = file_system;
    root.inode = inode;
    keeper_.set_value("directory:" + root.config.name, std::to_string(inode));
  }
  keeper_.set_value("mounts:" + root.config.name, to_text(root.mounts));
  keeper_.set_value("file-system:" + root.config.name, root.file_system);
}

bool MountHolds::hold(Account& account, const MountsAbove& known, const MountsAbove& now) {
  const Root& root = roster_.root_of(account);
  const auto lost = std::find_if(known.begin(), known.end(), [&](const auto& mount) {
    return is_below(account.path, mount.first) && at(now, mount.first) != mount.second;
  });
  const bool is_held_here = account.held && account.hold_code == ErrorCode::mount_gone;
  if (lost == known.end() || account.released || root.mode == config::Mode::drain) {
    if (is_held_here) account.rechecks = account.work.structure = true;
    return false;
  }
  account.hold_loss = {account.messages, account.bytes};  // if it is not found below, either
  holds_.hold(account, ErrorCode::mount_gone,
              "a file system was unmounted or exchanged at " + os::join(root.config.path, lost->first) +
                  ", above the account; nothing of the account is sent or deleted. Mount what belongs there, "
                  "and it goes on by itself. If it is meant to be so: maildirsync release --account '" +
                  account.name + "'");
  return true;
}

/// It may be back, where no event tells of it.
std::vector<std::size_t> MountHolds::roots_to_walk() const {
  std::set<std::size_t> roots;
  for (const auto& [id, account] : roster_.accounts) {
    if (account.held && account.hold_code == ErrorCode::mount_gone) roots.insert(account.root);
  }
  return {roots.begin(), roots.end()};
}

}  // namespace maildirsync::agent
