#include "common/sync/drain.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "common/os/path.h"
#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

/// Where each inode's messages are.
class Places {
 public:
  struct Place {
    const FolderManifest* folder = nullptr;
    const Entry* entry = nullptr;
  };

  explicit Places(const AccountManifest& account) {
    for (const auto& folder : account.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry) && entry.inode != 0) by_inode_.emplace(entry.inode, Place{&folder, &entry});
      }
    }
  }

  auto of(std::uint64_t inode) const { return by_inode_.equal_range(inode); }

  bool has(std::uint64_t inode, const std::string& folder, std::string_view base) const {
    const auto [begin, end] = of(inode);
    return std::any_of(begin, end, [&](const auto& found) {
      return found.second.folder->path == folder && base_name(*found.second.entry) == base;
    });
  }

 private:
  std::unordered_multimap<std::uint64_t, Place> by_inode_;
};

/// What is known, asked message by message.
class Known {
 public:
  Known(const AccountManifest& before, const AccountManifest& after) : places_(before), now_(after) {}

  /// The entries of a folder by base name; asked for before its messages are.
  void enter(const FolderManifest* folder) {
    by_base_.clear();
    if (folder == nullptr) return;
    for (const auto& entry : folder->entries) {
      if (is_message(entry)) by_base_.emplace(base_name(entry), &entry);
    }
  }

  bool is_new(const Entry& entry) const {
    const auto [begin, end] = by_base_.equal_range(base_name(entry));
    const bool own = std::any_of(begin, end, [&](const auto& known) {
      const bool in_place = known.second->inode == entry.inode && entry.inode != 0;
      return in_place || same_stamp(*known.second, entry);
    });
    if (own) return false;
    bool moved = false;
    const auto [first, last] = places_.of(entry.inode);
    for (auto found = first; found != last; ++found) {
      const auto& place = found->second;
      if (!same_stamp(*place.entry, entry)) continue;
      if (now_.has(entry.inode, place.folder->path, base_name(*place.entry))) return true;  // a copy
      moved = true;
    }
    return !moved;
  }

 private:
  Places places_;  ///< in `before`
  Places now_;     ///< in `after`
  std::unordered_multimap<std::string_view, const Entry*> by_base_;
};

/// One of each base name: a message that was seen on its way from new/ to cur/ is one message.
std::map<std::string_view, const Entry*> new_messages(const FolderManifest& folder, const Known& known) {
  std::map<std::string_view, const Entry*> found;
  for (const auto& entry : folder.entries) {
    if (!is_message(entry) || !known.is_new(entry)) continue;
    const auto [place, first] = found.emplace(base_name(entry), &entry);
    if (!first && entry.area == Area::cur) place->second = &entry;
  }
  return found;
}

Operation make(const FolderManifest& folder) {
  return {.kind = OperationKind::make_folder,
          .to = {folder.path, Area::folder, ""},
          .folder = {folder.self, folder.cur, folder.new_, folder.tmp},
          .folder_inode = folder.inode};
}

Operation put(const FolderManifest& folder, const Entry& entry) {
  return {.kind = OperationKind::put, .to = {folder.path, entry.area, entry.name}, .result = entry};
}

/// Makes a folder and those above it, once.
class Folders {
 public:
  Folders(const AccountManifest& before, const AccountManifest& after, const MissingFolders& missing)
      : before_(before), after_(after), missing_(missing) {}

  void need(const std::string& path, std::vector<Operation>& operations) {
    const auto* folder = after_.find(path);
    if (folder == nullptr || made_.contains(path)) return;
    if (!path.empty()) {
      need(os::above(path), operations);
    }
    made_.insert(path);
    if (before_.find(path) != nullptr && !missing_.contains(path)) return;
    operations.push_back(make(*folder));
  }

 private:
  const AccountManifest& before_;
  const AccountManifest& after_;
  const MissingFolders& missing_;
  std::set<std::string> made_;
};

using Listed = std::unordered_multimap<std::string_view, const Entry*>;

Listed messages_of(const AccountManifest& account) {
  Listed messages;
  for (const auto& folder : account.folders) {
    for (const auto& entry : folder.entries) {
      if (is_message(entry)) messages.emplace(base_name(entry), &entry);
    }
  }
  return messages;
}

bool is_listed(const Listed& listed, const Entry& entry) {
  const auto [begin, end] = listed.equal_range(base_name(entry));
  return std::any_of(begin, end, [&](const auto& there) { return same_stamp(*there.second, entry); });
}

}  // namespace

std::vector<Operation> plan_drain(const AccountManifest& before, const AccountManifest& after,
                                  const MissingFolders& missing) {
  std::vector<Operation> operations;
  Known known(before, after);
  Folders folders(before, after, missing);
  for (const auto& folder : after.folders) {
    known.enter(before.find(folder.path));
    const auto messages = new_messages(folder, known);
    if (messages.empty()) continue;
    folders.need(folder.path, operations);
    for (const auto& [base, entry] : messages)
      operations.push_back(put(folder, *entry));
  }
  return operations;
}

std::vector<Operation> forget_torn(AccountManifest& listed, const AccountManifest& known) {
  std::vector<Operation> forgotten;
  for (auto& folder : listed.folders) {
    const auto* ours = known.find(folder.path);
    if (ours == nullptr) continue;
    std::unordered_map<std::string_view, const Entry*> by_base;
    for (const auto& entry : ours->entries) {
      if (is_message(entry)) by_base.emplace(base_name(entry), &entry);
    }
    std::erase_if(folder.entries, [&](const Entry& entry) {
      const auto found = is_message(entry) ? by_base.find(base_name(entry)) : by_base.end();
      if (found == by_base.end() || !is_torn(entry, *found->second)) return false;
      const Entry& one = *found->second;
      forgotten.push_back({.kind = OperationKind::remove, .from = {folder.path, one.area, one.name}, .expected = one});
      return true;
    });
  }
  return forgotten;
}

std::vector<Operation> forget_unlisted(const AccountManifest& listed, const AccountManifest& known) {
  const Listed there = messages_of(listed);
  std::vector<Operation> forgotten;
  for (const auto& folder : known.folders) {
    for (const auto& entry : folder.entries) {
      if (!is_message(entry) || is_listed(there, entry)) continue;
      forgotten.push_back(
          {.kind = OperationKind::remove, .from = {folder.path, entry.area, entry.name}, .expected = entry});
    }
  }
  return forgotten;
}

std::int64_t came_at(const Entry& entry) {
  constexpr std::int64_t k_second = 1'000'000'000;
  constexpr std::size_t k_digits = 10;  // of a Unix time, until 2286
  std::int64_t named = 0;
  const auto [end, error] = std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), named);
  const bool is_time = error == std::errc() && end == entry.name.data() + k_digits;
  return is_time ? std::max(entry.mtime, named * k_second) : entry.mtime;
}

DrainReconciled reconcile_drain(const AccountManifest& listed, const AccountManifest& known,
                                const AccountManifest& after, std::int64_t given_until) {
  const Listed there = messages_of(listed);
  DrainReconciled result;
  Known ever(known, after);
  for (const auto& folder : after.folders) {
    const auto* before = known.find(folder.path);
    ever.enter(before);
    auto messages = new_messages(folder, ever);
    std::erase_if(messages, [&](const auto& message) {
      if (is_listed(there, *message.second)) return false;
      if (came_at(*message.second) >= given_until) return true;
      ++result.withheld;
      return false;
    });
    const bool exists = listed.find(folder.path) != nullptr;
    if (!exists) result.missing.insert(folder.path);
    if (before == nullptr && (exists || !messages.empty())) result.given.push_back(make(folder));
    for (const auto& [base, entry] : messages)
      result.given.push_back(put(folder, *entry));
  }
  return result;
}

}  // namespace maildirsync::sync
