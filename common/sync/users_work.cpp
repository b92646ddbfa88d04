#include "common/sync/users_work.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/maildir/name.h"
#include "common/sync/control_files.h"
#include "common/sync/drain.h"
#include "common/sync/equality.h"

namespace maildirsync::sync {

namespace {

struct Place {
  const FolderManifest* folder = nullptr;
  const Entry* entry = nullptr;
};
using Bases = std::unordered_set<std::string_view>;

/// Under the same name, in the same place.
const Entry* at(const FolderManifest* folder, const Entry& place) {
  return folder == nullptr ? nullptr : find_entry(folder->entries, place.area, place.name);
}

std::int64_t newest_message(const AccountManifest& account) {
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const auto& folder : account.folders) {
    for (const auto& entry : folder.entries) {
      if (is_message(entry)) newest = std::max(newest, entry.mtime);
    }
  }
  return newest;
}

/// Where some messages of an account are. Only these, for an account may have a million that nobody asks for.
class Index {
 public:
  Index(const AccountManifest& account, const Bases& bases) {
    if (bases.empty()) return;
    for (const auto& folder : account.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry) && bases.contains(base_name(entry)))
          by_base_.emplace(base_name(entry), Place{&folder, &entry});
      }
    }
  }

  /// The message in that folder, under whatever flags; null when it is not there.
  const Entry* in_folder(const std::string& folder, std::string_view base) const {
    const auto [begin, end] = by_base_.equal_range(base);
    const auto found = std::find_if(begin, end, [&](const auto& one) { return one.second.folder->path == folder; });
    return found == end ? nullptr : found->second.entry;
  }
  auto everywhere(std::string_view base) const { return by_base_.equal_range(base); }
  bool has_base(std::string_view base) const { return by_base_.contains(base); }

 private:
  std::unordered_multimap<std::string_view, Place> by_base_;
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

/// The base names of a folder's messages, sorted.
std::vector<std::string_view> sorted_bases(const FolderManifest* folder) {
  std::vector<std::string_view> bases;
  if (folder == nullptr) return bases;
  for (const auto& entry : folder->entries) {
    if (is_message(entry)) bases.push_back(base_name(entry));
  }
  std::sort(bases.begin(), bases.end());
  return bases;
}

bool has(const std::vector<std::string_view>& sorted, std::string_view base) {
  return std::binary_search(sorted.begin(), sorted.end(), base);
}

/// What has to be looked at: what the destination has and we did not make, and what it has no more.
struct Suspicion {
  std::vector<Place> strange, absent;
  std::vector<const FolderManifest*> missing;  ///< of what is known

  /// The messages of a missing folder may have been on their way to another one; else they are as good as all the
  /// account's, and too many to look for.
  Bases bases(const std::vector<Intent>& intents) const {
    Bases bases;
    for (const auto* places : {&strange, &absent}) {
      for (const auto& place : *places)
        bases.insert(base_name(*place.entry));
    }
    for (const auto* folder : missing) {
      for (const auto& entry : folder->entries) {
        if (!intents.empty() && is_message(entry)) bases.insert(base_name(entry));
      }
    }
    return bases;
  }
};

/// What was on its way. Of a folder whose renaming was, nobody knows which name the messages reached it under: it holds
/// what was known, or under way, of any folder.
class Underway {
 public:
  Underway(const AccountManifest& known, const std::vector<Intent>& intents) {
    for (const auto& intent : intents) {
      if (intent.to.name.empty()) {
        folders_.insert(intent.to.folder);
      } else {
        places_.emplace(intent.to.folder, intent.to.area, intent.to.name);
        names_.emplace(intent.to.area, intent.to.name);
      }
    }
    if (folders_.empty()) return;
    for (const auto& folder : known.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry)) names_.emplace(entry.area, entry.name);
      }
    }
  }

  bool has(const std::string& folder, const Entry& entry) const {
    return places_.contains({folder, entry.area, entry.name}) ||
           (names_.contains({entry.area, entry.name}) && has_folder(folder));
  }

 private:
  /// It, or one above it: a directory takes with it what is below.
  bool has_folder(std::string_view folder) const {
    for (;;) {
      if (folders_.contains(folder)) return true;
      const auto slash = folder.rfind('/');
      if (slash == std::string_view::npos) return false;
      folder = folder.substr(0, slash);
    }
  }

  std::set<std::string_view> folders_;
  std::set<std::tuple<std::string_view, Area, std::string_view>> places_;
  std::set<std::pair<Area, std::string_view>> names_;
};

Suspicion suspicion(const AccountManifest& listed, const AccountManifest& known, const std::vector<Intent>& intents,
                    const AccountManifest& after) {
  const Underway underway(known, intents);
  Suspicion found;
  for (const auto& folder : listed.folders) {
    const auto* record = known.find(folder.path);
    const auto* source = after.find(folder.path);
    for (const auto& entry : folder.entries) {
      const bool is_ours =
          at(record, entry) != nullptr || at(source, entry) != nullptr || underway.has(folder.path, entry);
      if (is_message(entry) && !is_ours) found.strange.push_back({&folder, &entry});
    }
  }
  for (const auto& folder : known.folders) {
    const auto* there = listed.find(folder.path);
    if (there == nullptr) {
      found.missing.push_back(&folder);
      continue;
    }
    for (const auto& entry : folder.entries) {
      if (is_message(entry) && at(there, entry) == nullptr) found.absent.push_back({&folder, &entry});
    }
  }
  return found;
}

class Judge {
 public:
  Judge(const AccountManifest& listed, const AccountManifest& known, const std::vector<Intent>& intents,
        const AccountManifest& after, const Suspicion& suspicion)
      : listed_(listed),
        known_(known),
        after_(after),
        suspicion_(suspicion),
        bases_(suspicion.bases(intents)),
        there_(listed, bases_),
        record_(known, bases_),
        source_(after, bases_),
        newest_(suspicion.strange.empty() ? 0 : std::max(newest_message(known), newest_message(after))) {
    for (const auto* account : {&known, &after}) {
      for (const auto& folder : account->folders) {
        for (const auto& entry : folder.entries) {
          if (is_message(entry)) break;  // they come last
          our_files_.emplace(entry.name, entry.size, entry.mtime);
        }
      }
    }
    for (const auto& intent : intents) {
      if (intent.to.area == Area::folder) our_files_.emplace(intent.to.name, intent.size, intent.mtime);
    }
  }

  UsersWork run() {
    for (const auto& strange : suspicion_.strange)
      message(strange.folder->path, *strange.entry);
    for (const auto& absent : suspicion_.absent)
      missing(absent.folder->path, *absent.entry);
    for (const auto* folder : suspicion_.missing)
      missing_folder(*folder);
    if (known_.folders.empty()) missing_without_record();
    for (const auto& folder : listed_.folders) {
      for (const auto& entry : folder.entries) {
        if (is_message(entry)) break;  // they come last
        control_file(folder, entry);
      }
    }
    return work_;
  }

 private:
  void message(const std::string& folder, const Entry& entry) {
    const std::string_view base = base_name(entry);
    const Entry* acknowledged = record_.in_folder(folder, base);
    const Entry* wanted = source_.in_folder(folder, base);
    if (acknowledged != nullptr || wanted != nullptr) return flagged(entry, acknowledged, wanted);
    if (!record_.has_base(base) && !source_.has_base(base)) {
      ++work_.only_there;
      if (entry.mtime > newest_) ++work_.arrived;
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

  /// It went as a whole, and the source has it still.
  void missing_folder(const FolderManifest& folder) {
    const auto wanted = sorted_bases(after_.find(folder.path));
    for (const auto base : sorted_bases(&folder)) {
      if (has(wanted, base) && !there_.has_base(base)) ++work_.in_missing_folders;
    }
  }

  /// Nothing was acknowledged, as far as is known: what is not there, though younger mail is, had been.
  void missing_without_record() {
    const std::int64_t until = had_until(listed_, after_);
    std::vector<Place> absent;
    for (const auto& folder : after_.folders) {
      const auto bases = sorted_bases(listed_.find(folder.path));
      for (const auto& entry : folder.entries) {
        if (is_message(entry) && !has(bases, base_name(entry)) && came_at(entry) < until)
          absent.push_back({&folder, &entry});
      }
    }
    if (absent.empty()) return;
    Bases anywhere;  // moved, or copied at the source
    for (const auto& folder : listed_.folders) {
      for (const auto base : sorted_bases(&folder))
        anywhere.insert(base);
    }
    for (const auto& [folder, entry] : absent) {
      if (anywhere.contains(base_name(*entry))) continue;
      ++(listed_.find(folder->path) != nullptr ? work_.deletions : work_.in_missing_folders);
    }
  }

  void control_file(const FolderManifest& folder, const Entry& entry) {
    const bool gives_uids = is_uidlist(entry.name);
    if (entry.kind != EntryKind::file || (!gives_uids && !is_users_own(entry.name))) return;
    if (our_files_.contains({entry.name, entry.size, entry.mtime})) return;  // of another folder, if it was renamed
    const Entry* acknowledged = known_.find(folder.path, Area::folder, entry.name);
    const Entry* wanted = after_.find(folder.path, Area::folder, entry.name);
    for (const auto* ours : {acknowledged, wanted}) {
      if (ours != nullptr && ours->mtime >= entry.mtime) return;
    }
    if (acknowledged == nullptr && wanted == nullptr) return;  // only there: nothing takes its place
    ++(gives_uids ? work_.uidlists : work_.written);
  }

  const AccountManifest& listed_;
  const AccountManifest& known_;
  const AccountManifest& after_;
  const Suspicion& suspicion_;
  const Bases bases_;
  const Index there_, record_, source_;
  const std::int64_t newest_;
  /// Names, sizes and times of the control files that we have sent, or shall.
  std::set<std::tuple<std::string_view, std::uint64_t, std::int64_t>> our_files_;
  std::set<std::pair<std::string_view, std::string_view>> counted_;
  UsersWork work_;
};

}  // namespace

UsersWork what_users_did(const AccountManifest& listed, const AccountManifest& known,
                         const std::vector<Intent>& intents, const AccountManifest& after) {
  return Judge(listed, known, intents, after, suspicion(listed, known, intents, after)).run();
}

std::int64_t had_until(const AccountManifest& listed, const AccountManifest& after) {
  std::int64_t youngest = 0;
  for (const auto& folder : after.folders) {
    const auto bases = sorted_bases(listed.find(folder.path));
    for (const auto& entry : folder.entries) {
      if (is_message(entry) && has(bases, base_name(entry))) youngest = std::max(youngest, came_at(entry));
    }
  }
  return youngest;
}

std::uint64_t count_missing(const AccountManifest& known, const AccountManifest& listed) {
  std::uint64_t missing = 0;
  for (const auto& folder : known.folders) {
    const auto bases = sorted_bases(listed.find(folder.path));
    for (const auto base : sorted_bases(&folder))
      missing += has(bases, base) ? 0 : 1;
  }
  return missing;
}

}  // namespace maildirsync::sync
