#include "daemon/commit/group.h"

#include <utility>

#include "common/maildir/name.h"
#include "daemon/commit/drained.h"

namespace maildirsync::daemon {

const std::optional<Error>& RootsOfGroup::away(const Account& account) {
  const auto [known, is_new] = looked_at_.try_emplace(account.root.get());
  if (is_new && account.served && account.root) {
    if (auto good = account.served->check(*account.root); !good) known->second = std::move(good.error());
  }
  return known->second;
}

void LooksOfGroup::look_before(const StagedOperation& staged) {
  const Account& account = *staged.account;
  if (!account.root) return;
  auto& folders = accounts_[&account];
  for (const auto& touched : touched_folders(staged.operation)) {
    const auto [known, is_new] = folders.try_emplace(touched.path);
    if (!is_new) continue;
    const bool stands_in_it = staged.aside && staged.aside->has_name();
    if (!stands_in_it) known->second.before = look_at_folder(*account.root, os::join(account.path, touched.was));
  }
}

std::vector<FolderLooks> LooksOfGroup::take(const Account& account) {
  const auto found = accounts_.find(&account);
  if (found == accounts_.end()) return {};
  std::vector<FolderLooks> looks;
  for (auto& [path, look] : found->second) {
    look.folder = path;
    look.after = look_at_folder(*account.root, os::join(account.path, path));
    looks.push_back(std::move(look));
  }
  accounts_.erase(found);
  return looks;
}

void GivenByGroup::note(const StagedOperation& staged) {
  const Account& account = *staged.account;
  if (!is_message_put(staged) || !account.given || !account.fence->drains()) return;
  account.given->note(*account.root, account.path, maildir::base_of(staged.operation.to.name));
  roots_.emplace(account.given, account.root);
}

std::map<std::shared_ptr<Given>, Error> GivenByGroup::keep() {
  std::map<std::shared_ptr<Given>, Error> failed;
  for (const auto& [given, root] : roots_) {
    if (const auto kept = given->keep(*root); !kept) failed.emplace(given, kept.error());
  }
  return failed;
}

}  // namespace maildirsync::daemon
