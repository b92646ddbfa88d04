#include "common/sync/users_work.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "common/maildir/name.h"

namespace maildirsync::sync {

namespace {

constexpr std::uint64_t k_with_server = 2;
constexpr std::uint64_t k_new_flags = 3;
constexpr std::string_view k_uidlist = "dovecot-uidlist";

struct Place {
  const FolderManifest* folder = nullptr;
  const Entry* entry = nullptr;
};

/// The messages of an account by base name, and its files by their places.
class Index {
 public:
  explicit Index(const AccountManifest& account) {
    for (const auto& folder : account.folders) {
      for (const auto& entry : folder.entries) {
        names_.emplace(folder.path, entry.area, entry.name);
        if (entry.area == Area::folder) continue;
        by_base_.emplace(base_name(entry), Place{&folder, &entry});
        newest_ = std::max(newest_, entry.mtime);
      }
    }
  }

  bool has(const std::string& folder, const Entry& entry) const {
    return names_.contains({folder, entry.area, entry.name});
  }
  /// The message in that folder, under whatever flags; null when it is not there.
  const Entry* in_folder(const std::string& folder, std::string_view base) const {
    const auto [begin, end] = by_base_.equal_range(base);
    const auto found = std::find_if(begin, end, [&](const auto& one) { return one.second.folder->path == folder; });
    return found == end ? nullptr : found->second.entry;
  }
  auto everywhere(std::string_view base) const { return by_base_.equal_range(base); }
  bool has_base(std::string_view base) const { return by_base_.contains(base); }
  std::int64_t newest() const { return newest_; }

 private:
  std::set<std::tuple<std::string_view, Area, std::string_view>> names_;
  std::unordered_multimap<std::string_view, Place> by_base_;
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();
};

/// The letters, each once; Dovecot's keywords are letters too.
std::set<char> flags_of(const Entry* entry) {
  if (entry == nullptr) return {};
  std::string_view info = maildir::split(entry->name).flags;
  info = info.substr(std::min(info.find(','), info.size()));
  if (!info.empty()) info.remove_prefix(1);
  info = info.substr(0, info.find(','));
  return {info.begin(), info.end()};
}

class Judge {
 public:
  Judge(const AccountManifest& listed, const AccountManifest& known, const std::vector<Ours>& intents,
        const AccountManifest& after)
      : listed_(listed), known_(known), after_(after), there_(listed), record_(known), source_(after) {
    for (const auto& intent : intents)
      intended_.emplace(intent.to.folder, intent.to.area, intent.to.name);
  }

  UsersWork run() {
    if (!listed_.exists) return work_;
    for (const auto& folder : listed_.folders) {
      for (const auto& entry : folder.entries) {
        if (entry.area == Area::folder) {
          control_file(folder, entry);
        } else {
          message(folder.path, entry);
        }
      }
    }
    for (const auto& folder : known_.folders) {
      if (listed_.find(folder.path) == nullptr) continue;
      for (const auto& entry : folder.entries) {
        if (entry.area != Area::folder) missing(folder.path, entry);
      }
    }
    return work_;
  }

 private:
  bool is_ours(const std::string& folder, const Entry& entry) const {
    return record_.has(folder, entry) || source_.has(folder, entry) ||
           intended_.contains({folder, entry.area, entry.name});
  }

  void message(const std::string& folder, const Entry& entry) {
    if (is_ours(folder, entry)) return;
    const std::string_view base = base_name(entry);
    const Entry* acknowledged = record_.in_folder(folder, base);
    const Entry* wanted = source_.in_folder(folder, base);
    if (acknowledged != nullptr || wanted != nullptr) return flagged(entry, acknowledged, wanted);
    if (!record_.has_base(base) && !source_.has_base(base)) {
      ++work_.only_there;
      if (entry.mtime > std::max(record_.newest(), source_.newest())) ++work_.arrived;
      return;
    }
    // In another folder than ours: moved, when it has left all places that we know.
    const auto is_still_there = [&](const Index& index) {
      const auto [begin, end] = index.everywhere(base);
      return std::any_of(begin, end,
                         [&](const auto& one) { return there_.in_folder(one.second.folder->path, base) != nullptr; });
    };
    if (is_still_there(record_) || is_still_there(source_)) {
      ++work_.only_there;  // a copy
    } else {
      ++work_.moves;
    }
  }

  /// That a message is in cur/ for new/ is a look at the folder, and not yet work.
  void flagged(const Entry& entry, const Entry* acknowledged, const Entry* wanted) {
    const auto now = flags_of(&entry), before = flags_of(acknowledged), source = flags_of(wanted);
    if ((acknowledged != nullptr && now == before) || (wanted != nullptr && now == source)) return;
    ++work_.flags;
    const bool is_new = std::any_of(now.begin(), now.end(),
                                    [&](char flag) { return !before.contains(flag) && !source.contains(flag); });
    if (is_new) ++work_.added;
  }

  /// Of what was acknowledged. Where the source has it no more, its removal is wanted.
  void missing(const std::string& folder, const Entry& entry) {
    const std::string_view base = base_name(entry);
    if (there_.has_base(base) || source_.in_folder(folder, base) == nullptr) return;
    if (counted_.emplace(folder, base).second) ++work_.deletions;
  }

  void control_file(const FolderManifest& folder, const Entry& entry) {
    if (entry.name != k_uidlist || entry.kind != EntryKind::file) return;
    const Entry* acknowledged = control_of(known_, folder.path);
    const Entry* wanted = control_of(after_, folder.path);
    const auto is_same = [&](const Entry* other) {
      return other != nullptr && other->size == entry.size && other->mtime == entry.mtime;
    };
    if (is_same(acknowledged) || is_same(wanted)) return;
    for (const auto* ours : {acknowledged, wanted}) {
      if (ours != nullptr && ours->mtime >= entry.mtime) return;
    }
    if (acknowledged == nullptr && wanted == nullptr) return;  // of a folder that is only there
    ++work_.uidlists;
  }

  static const Entry* control_of(const AccountManifest& account, const std::string& path) {
    const auto* folder = account.find(path);
    if (folder == nullptr) return nullptr;
    const auto found = std::find_if(folder->entries.begin(), folder->entries.end(), [](const Entry& entry) {
      return entry.area == Area::folder && entry.name == k_uidlist;
    });
    return found == folder->entries.end() ? nullptr : &*found;
  }

  const AccountManifest& listed_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  const Index there_, record_, source_;
  std::set<std::tuple<std::string_view, Area, std::string_view>> intended_;
  std::set<std::pair<std::string_view, std::string_view>> counted_;
  UsersWork work_;
};

}  // namespace

UsersWork what_users_did(const AccountManifest& listed, const AccountManifest& known, const std::vector<Ours>& intents,
                         const AccountManifest& after) {
  return Judge(listed, known, intents, after).run();
}

bool is_evident(const UsersWork& work) {
  const bool server = work.indexed || work.uidlists > 0;
  const std::uint64_t changes = work.flags + work.deletions + work.moves + work.arrived;
  return (server && changes >= k_with_server) || work.added >= k_new_flags;
}

}  // namespace maildirsync::sync
