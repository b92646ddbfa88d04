#include "common/sync/brake.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_set>

namespace maildirsync::sync {

namespace {

constexpr std::uint64_t k_trash_from = 10;
constexpr std::uint64_t k_trash_from_in_hour = 30;
constexpr std::uint64_t k_waning = 100;
constexpr std::uint64_t k_much = 20;
constexpr std::uint64_t k_much_without_trash = 50;
constexpr std::size_t k_folders = 4;

bool has_messages(const FolderManifest& folder) {
  return std::any_of(folder.entries.begin(), folder.entries.end(),
                     [](const Entry& entry) { return entry.area != Area::folder; });
}

std::size_t depth_of(std::string_view path) {
  return path.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// The folder that no mail program removes: the account itself, or, where that is a home, the Maildir in it.
const FolderManifest* inbox_of(const AccountManifest& account) {
  const FolderManifest* only = nullptr;
  std::size_t count = 0;
  for (const auto& folder : account.folders) {
    if (!folder.cur || depth_of(folder.path) > 1) continue;
    if (folder.path.empty() || folder.path == "Maildir" || folder.path == "INBOX") return &folder;
    only = &folder;
    ++count;
  }
  return count == 1 ? only : nullptr;
}

bool is_another(const FolderManifest& before, const FolderManifest& after) {
  return before.inode != 0 && after.inode != 0 && before.inode != after.inode;
}

bool lacks_inbox(const AccountManifest& before, const AccountManifest& after) {
  const FolderManifest* inbox = inbox_of(before);
  if (inbox == nullptr) return false;
  const auto* now = after.find(inbox->path);
  if (now != nullptr && now->cur) return false;
  // Under another name it is still there.
  return std::none_of(after.folders.begin(), after.folders.end(), [&](const FolderManifest& folder) {
    return folder.cur && inbox->inode != 0 && folder.inode == inbox->inode;
  });
}

/// All at once, and not one by one as a user does.
bool lacks_all_folders(const AccountManifest& before, const AccountManifest& after) {
  const FolderManifest* inbox = inbox_of(before);
  const std::string_view inbox_path = inbox == nullptr ? std::string_view() : inbox->path;
  std::size_t gone = 0;
  for (const auto& folder : before.folders) {
    if (folder.cur && folder.path != inbox_path && has_messages(folder)) ++gone;
  }
  if (gone < k_folders) return false;
  return std::none_of(after.folders.begin(), after.folders.end(),
                      [&](const FolderManifest& folder) { return folder.cur && folder.path != inbox_path; });
}

}  // namespace

Loss lost_messages(const std::vector<Operation>& plan, const std::unordered_map<std::uint64_t, std::size_t>& names) {
  struct Going {
    std::size_t count = 0;
    std::uint64_t size = 0;
  };
  std::unordered_map<std::uint64_t, Going> going;
  std::unordered_set<std::uint64_t> coming;
  Loss lost;
  for (const auto& operation : plan) {
    switch (operation.kind) {
      case OperationKind::put:
      case OperationKind::link:
      case OperationKind::rename:
        coming.insert(operation.result.inode);
        break;
      case OperationKind::remove: {
        if (operation.from.area == Area::folder) break;
        const std::uint64_t inode = operation.expected ? operation.expected->inode : 0;
        const std::uint64_t size = operation.expected ? operation.expected->size : 0;
        if (inode == 0) {
          ++lost.messages;
          lost.bytes += size;
        } else {
          ++going[inode].count;
          going[inode].size = size;
        }
        break;
      }
      default:
        break;
    }
  }
  for (const auto& [inode, what] : going) {
    const auto known = names.find(inode);
    const bool keeps_a_name = known != names.end() && known->second > what.count;
    if (keeps_a_name || coming.contains(inode)) continue;
    lost.messages += what.count;
    lost.bytes += what.size;
  }
  return lost;
}

Damage damage_between(const AccountManifest& before, const AccountManifest& after) {
  if (!after.exists || !after.structure_whole) return Damage::none;
  if (lacks_inbox(before, after)) return Damage::no_inbox;
  const auto* account = before.find("");
  const auto* account_now = after.find("");
  if (account != nullptr && account_now != nullptr && is_another(*account, *account_now)) {
    return Damage::another_account;
  }
  for (const auto& folder : before.folders) {
    const auto* now = after.find(folder.path);
    if (now != nullptr && folder.cur && !now->cur && is_another(folder, *now) && has_messages(folder)) {
      return Damage::another_folder;
    }
  }
  return lacks_all_folders(before, after) ? Damage::no_folders : Damage::none;
}

Hold should_hold(const Removals& removals) {
  const std::uint64_t lost = removals.lost + removals.lost_before;
  if (removals.lost == 0) return Hold::none;
  if (removals.damage == Damage::another_account) {  // put back from a backup, it has its mail
    if (lost * 2 > removals.messages) return Hold::damage;
  } else if (removals.damage != Damage::none) {
    return Hold::damage;
  }
  if (removals.root_loses && lost >= k_trash_from && lost * 4 > removals.messages) return Hold::root_loses;
  if (!removals.has_trash && lost >= k_much_without_trash && lost * 4 > removals.messages) return Hold::beyond_trash;
  return Hold::none;
}

bool is_mass(std::uint64_t messages, std::uint64_t lost) {
  return lost >= k_much && lost * 4 > messages;
}

bool is_most(std::uint64_t messages, std::uint64_t lost) {
  return lost >= k_much && lost * 2 > messages;
}

void mark_for_trash(std::vector<Operation>& plan, const Company& company) {
  const bool many = company.in_window >= k_trash_from || company.in_hour >= k_trash_from_in_hour || company.root_wanes;
  std::set<std::string_view> removed;
  for (const auto& operation : plan) {
    if (operation.kind == OperationKind::remove_folder) removed.insert(operation.from.folder);
  }
  for (auto& operation : plan) {
    if (operation.kind != OperationKind::remove && operation.kind != OperationKind::remove_folder) continue;
    const bool of_message = operation.from.area != Area::folder;
    operation.to_trash |= company.account_gone || (many && of_message) || removed.contains(operation.from.folder);
  }
}

bool wanes(std::uint64_t messages, std::uint64_t lost_in_hour) {
  return lost_in_hour >= k_waning && lost_in_hour * 100 >= messages;
}

bool is_catastrophe(const RootLosses& losses) {
  if (losses.emptied >= 5 && losses.emptied * 20 >= losses.accounts) return true;
  return losses.losers >= 3 && losses.lost >= 500 && losses.lost * 2 > losses.messages;
}

bool vanished_together(std::size_t vanished, std::size_t known) {
  return (vanished >= 5 && vanished * 20 >= known) || vanished * 2 > known;
}

std::string_view sentence(Damage damage) {
  switch (damage) {
    case Damage::none:
      break;
    case Damage::no_inbox:
      return "the INBOX's directory cur/ is gone, which no mail program removes";
    case Damage::no_folders:
      return "all folders but the INBOX are gone at once";
    case Damage::another_account:
      return "another directory is where the account's was, and most of its mail is not in it; is a volume not "
             "mounted?";
    case Damage::another_folder:
      return "another directory, an empty one, is where a folder with mail was; is a volume not mounted?";
  }
  return "";
}

}  // namespace maildirsync::sync
