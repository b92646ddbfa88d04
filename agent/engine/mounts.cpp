// File systems that are mounted below a root at the source. One that is not mounted looks like mail that was deleted:
// so what was mounted where is remembered, and what lies there is held until it is back, whatever its size. That within
// accounts is found by their turns (turn/mounts_below.h), that above them by the walks of their root.

#include <algorithm>
#include <charconv>

#include <asio/post.hpp>

#include "agent/engine/engine.h"
#include "common/os/file_system.h"
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

Result<> Engine::recall_mounts(Root& root) const {
  auto file_system = state_->value("file-system:" + root.config.name);
  if (!file_system) return Failure(file_system.error());
  root.file_system = file_system->value_or("");
  auto mounts = state_->value("mounts:" + root.config.name);
  if (!mounts) return Failure(mounts.error());
  root.mounts = mounts_of(mounts->value_or(""));
  return {};
}

/// After a walk that holds nothing back. What is away stays in mind while accounts are held for it.
void Engine::remember_mounts(Root& root, const MountsAbove& now) {
  MountsAbove mounts = now;
  for (const Account* account : accounts_of(static_cast<std::size_t>(&root - roots_.data()))) {
    if (!account->held || account->hold_code != ErrorCode::mount_gone) continue;
    for (const auto& [path, mount] : root.mounts) {
      if (is_below(account->path, path)) mounts[path] = mount;
    }
  }
  const std::string file_system = root.directory ? os::file_system_of(root.directory->fd()) : "";
  const bool is_same = mounts == root.mounts && (file_system.empty() || file_system == root.file_system);
  if (is_same) return;
  root.mounts = std::move(mounts);
  if (!file_system.empty()) root.file_system = file_system;
  asio::post(keeper_, [this, name = root.config.name, text = to_text(root.mounts), kept = root.file_system] {
    for (const auto& [key, value] : {std::pair("mounts:", &text), std::pair("file-system:", &kept)}) {
      if (const auto stored = state_->set_value(key + name, *value); !stored) keeper_failed(stored.error());
    }
  });
}

/// Whether what was mounted above an account is not mounted there any more, so that nothing of it can be believed.
bool Engine::hold_for_mounts_above(Account& account, const MountsAbove& known, const MountsAbove& now) {
  const Root& root = roots_[account.root];
  const auto lost = std::find_if(known.begin(), known.end(), [&](const auto& mount) {
    return is_below(account.path, mount.first) && at(now, mount.first) != mount.second;
  });
  const bool is_held_here = account.held && account.hold_code == ErrorCode::mount_gone;
  if (lost == known.end() || account.released || root.mode == config::Mode::drain) {
    if (is_held_here) account.rechecks = account.work.structure = true;
    return false;
  }
  account.hold_loss = {account.messages, account.bytes};  // if it is not found below, either
  hold(account, ErrorCode::mount_gone,
       "a file system was unmounted or exchanged at " + os::join(root.config.path, lost->first) +
           ", above the account; nothing of the account is sent or deleted. Mount what belongs there, "
           "and it goes on by itself. If it is meant to be so: maildirsync release --account '" +
           account.name + "'");
  return true;
}

/// Every few seconds: it may be back, where no event tells of it.
void Engine::look_at_lost_mounts() {
  std::vector<bool> walk(roots_.size());
  for (const auto& [id, account] : accounts_) {
    if (account.held && account.hold_code == ErrorCode::mount_gone) walk[account.root] = true;
  }
  for (std::size_t i = 0; i < walk.size(); ++i) {
    if (walk[i]) discover_root(i);
  }
}

}  // namespace maildirsync::agent
