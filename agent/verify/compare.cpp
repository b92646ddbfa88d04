#include "agent/verify/compare.h"

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "common/sync/equality.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::AccountManifest;
using sync::Area;
using sync::Attributes;
using sync::Entry;
using sync::EntryKind;
using sync::FolderManifest;

std::string place(const Entry& entry) {
  const char* area = entry.area == Area::cur ? "cur/" : entry.area == Area::new_ ? "new/" : "";
  return area + entry.name;
}

std::string time_text(std::int64_t nanoseconds) {
  constexpr std::int64_t k_second = 1'000'000'000;
  const std::int64_t fraction = ((nanoseconds % k_second) + k_second) % k_second;
  const auto seconds = static_cast<std::time_t>((nanoseconds - fraction) / k_second);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(seconds), fraction);
}

/// The digest of a message is not known at every comparison.
std::string evidence_of(const Entry& entry) {
  return fmt::format("{}:{}:{}:{}:{}:{:o}:{}:{}:{}:{}", static_cast<int>(entry.area), static_cast<int>(entry.kind),
                     entry.inode, entry.size, entry.mtime, entry.attributes.mode, entry.attributes.uid,
                     entry.attributes.gid,
                     entry.digest && entry.area == Area::folder ? codec::to_hex(*entry.digest) : "", place(entry));
}

std::string evidence_of(const Attributes& attributes) {
  return fmt::format("{:o}:{}:{}", attributes.mode, attributes.uid, attributes.gid);
}

/// Of a content, which no change of a name or an owner touches.
std::string content_evidence_of(const Entry& entry) {
  return fmt::format("{}:{}:{}", entry.size, entry.mtime, entry.digest ? codec::to_hex(*entry.digest) : "unread");
}

/// The first and the last moment that an mtime in ns can have stand for all beyond.
bool is_beyond_carried(std::int64_t mtime) {
  return mtime == std::numeric_limits<std::int64_t>::max() || mtime == std::numeric_limits<std::int64_t>::min();
}

bool same_time(const Entry& left, const Entry& right) {
  return left.mtime == right.mtime || left.kind == EntryKind::symlink;
}

std::string content_of(const FolderManifest& folder) {
  const auto messages = std::count_if(folder.entries.begin(), folder.entries.end(),
                                      [](const Entry& entry) { return entry.area != Area::folder; });
  return fmt::format("{} message{}", messages, messages == 1 ? "" : "s");
}

/// Pointers to the entries of one side of a folder that found no partner yet.
using Unmatched = std::vector<const Entry*>;

class Comparison {
 public:
  Comparison(const AccountManifest& source, const AccountManifest& destination, const sync::OwnerMapping& owner,
             const AliasNames& aliases)
      : source_(source), destination_(destination), owner_(owner), aliases_(aliases) {}

  std::vector<Difference> run() {
    if (!source_.exists && !destination_.exists) return {};
    if (!source_.exists) {
      add(DifferenceKind::extra, "", "", "the account is not at the source", "");
      for (const auto& folder : destination_.folders)
        add_links_out(folder);
      return std::move(found_);
    }
    if (!destination_.exists) {
      std::size_t messages = 0;
      for (const auto& folder : source_.folders) {
        messages += static_cast<std::size_t>(std::count_if(folder.entries.begin(), folder.entries.end(),
                                                           [](const Entry& e) { return e.area != Area::folder; }));
      }
      add(DifferenceKind::missing, "", "",
          fmt::format("the account is not at the destination: {} folders, {} messages", source_.folders.size(),
                      messages),
          "");
      return std::move(found_);
    }
    for (const auto& folder : source_.folders) {
      const auto* there = destination_.find(folder.path);
      if (there != nullptr) {
        compare_folder(folder, *there);
      } else {
        add(DifferenceKind::missing, folder.path, "", "the folder is not at the destination: " + content_of(folder),
            std::to_string(folder.inode));
      }
    }
    for (const auto& folder : destination_.folders) {
      if (!source_.structure_whole || source_.find(folder.path) != nullptr) continue;
      add(DifferenceKind::extra, folder.path, "", "the folder is not at the source: " + content_of(folder), "");
      add_links_out(folder);
    }
    return std::move(found_);
  }

 private:
  void add(DifferenceKind kind, const std::string& folder, std::string name, std::string detail, std::string evidence) {
    found_.push_back({.kind = kind,
                      .folder = folder,
                      .area = Area::folder,
                      .name = std::move(name),
                      .detail = std::move(detail),
                      .evidence = std::move(evidence),
                      .at_source = std::nullopt,
                      .at_destination = std::nullopt});
  }

  void add(DifferenceKind kind, const FolderManifest& folder, const Entry* source, const Entry* destination,
           std::string detail) {
    const Entry& named = source != nullptr ? *source : *destination;
    Difference difference{.kind = kind,
                          .folder = folder.path,
                          .area = named.area,
                          .name = named.name,
                          .detail = std::move(detail),
                          .evidence = {},
                          .at_source = std::nullopt,
                          .at_destination = std::nullopt};
    const bool content = kind == DifferenceKind::content;
    for (const auto& [entry, at] :
         {std::pair(source, &difference.at_source), std::pair(destination, &difference.at_destination)}) {
      if (entry == nullptr) continue;
      *at = *entry;
      difference.evidence += (content ? content_evidence_of(*entry) : evidence_of(*entry)) + ' ';
    }
    found_.push_back(std::move(difference));
  }

  void compare_folder(const FolderManifest& source, const FolderManifest& destination) {
    compare_directory(source, "", source.self, destination.self);
    compare_area(source, "cur", source.cur, destination.cur);
    compare_area(source, "new", source.new_, destination.new_);
    if (source.tmp && destination.tmp) compare_directory(source, "tmp", *source.tmp, *destination.tmp);
    Unmatched here, there;
    match_exactly(source, destination, here, there);
    match_by(source, here, there, [](const Entry& left, const Entry& right) {
      return sync::base_name(left) == sync::base_name(right) && sync::same_content(left, right);
    });
    match_by(source, here, there,
             [](const Entry& left, const Entry& right) { return sync::base_name(left) == sync::base_name(right); });
    match_renamed(source, here, there);
    for (const Entry* entry : here)
      add_missing(source, *entry);
    for (const Entry* entry : there)
      add_extra(source, *entry);
  }

  static bool leads_out(const FolderManifest& folder, const Entry& entry) {
    return entry.kind == EntryKind::symlink &&
           !maildir::link_stays_inside(sync::directory_of({folder.path, entry.area, ""}), entry.target.text());
  }

  /// In what is extra as a whole, and named so.
  void add_links_out(const FolderManifest& folder) {
    for (const auto& entry : folder.entries) {
      if (leads_out(folder, entry)) add_extra(folder, entry);
    }
  }

  /// A mail server follows a link with the rights of every account: what others made there is named.
  void add_extra(const FolderManifest& folder, const Entry& entry) {
    add(DifferenceKind::extra, folder, nullptr, &entry,
        leads_out(folder, entry)
            ? fmt::format("{} is at the destination only, and is a symbolic link that leads out of the account: "
                          "remove it there",
                          place(entry))
            : fmt::format("{} is at the destination only", place(entry)));
  }

  void add_missing(const FolderManifest& folder, const Entry& entry) {
    const bool control = entry.area == Area::folder;
    const std::string why = owner_(entry.attributes) ? ""
                                                     : fmt::format(": its owner {}:{} is not mapped there",
                                                                   entry.attributes.uid, entry.attributes.gid);
    add(control ? DifferenceKind::control : DifferenceKind::missing, folder, &entry, nullptr,
        place(entry) + " is not at the destination" + why);
  }

  void compare_area(const FolderManifest& folder, const char* name, const std::optional<Attributes>& source,
                    const std::optional<Attributes>& destination) {
    if (source && destination) return compare_directory(folder, name, *source, *destination);
    if (source) add(DifferenceKind::missing, folder.path, name, "the directory is not at the destination", "");
    if (destination) add(DifferenceKind::extra, folder.path, name, "the directory is not at the source", "");
  }

  void compare_directory(const FolderManifest& folder, const char* name, const Attributes& source,
                         const Attributes& destination) {
    const std::string evidence = evidence_of(source) + ' ' + evidence_of(destination);
    if (source.mode != destination.mode)
      add(DifferenceKind::mode, folder.path, name, mode_detail(source, destination), evidence);
    if (const auto detail = owner_detail(source, destination); !detail.empty())
      add(DifferenceKind::owner, folder.path, name, detail, evidence);
  }

  static std::string mode_detail(const Attributes& source, const Attributes& destination) {
    return fmt::format("has mode {:04o} at the source, {:04o} at the destination", source.mode, destination.mode);
  }

  /// "" when the owner is as it must be.
  std::string owner_detail(const Attributes& source, const Attributes& destination) const {
    const auto wanted = owner_(source);
    if (!wanted) {
      return fmt::format("belongs to {}:{} at the source, which is not mapped, and to {}:{} at the destination",
                         source.uid, source.gid, destination.uid, destination.gid);
    }
    if (*wanted == std::pair(destination.uid, destination.gid)) return "";
    return fmt::format("belongs to {}:{} at the destination; {}:{} of the source is {}:{} there", destination.uid,
                       destination.gid, source.uid, source.gid, wanted->first, wanted->second);
  }

  void match_exactly(const FolderManifest& source, const FolderManifest& destination, Unmatched& here,
                     Unmatched& there) {
    auto left = source.entries.begin();
    auto right = destination.entries.begin();
    while (left != source.entries.end() || right != destination.entries.end()) {
      if (right == destination.entries.end() ||
          (left != source.entries.end() && sync::before_in_folder(*left, *right))) {
        here.push_back(&*left++);
      } else if (left == source.entries.end() || sync::before_in_folder(*right, *left)) {
        there.push_back(&*right++);
      } else if (alias_of(source, *left) != nullptr) {  // somebody else's has the name
        here.push_back(&*left++);
        there.push_back(&*right++);
      } else {
        compare_files(source, *left++, *right++);
      }
    }
    match_aliases(source, here, there);
  }

  const std::string* alias_of(const FolderManifest& folder, const Entry& entry) const {
    if (aliases_.empty() || entry.area == Area::folder) return nullptr;
    const auto found = aliases_.find({folder.path, std::string(sync::base_name(entry))});
    return found == aliases_.end() ? nullptr : &found->second;
  }

  void match_aliases(const FolderManifest& folder, Unmatched& here, Unmatched& there) {
    if (aliases_.empty()) return;
    std::erase_if(here, [&](const Entry* entry) {
      const std::string* alias = alias_of(folder, *entry);
      if (alias == nullptr) return false;
      const auto found = std::find_if(there.begin(), there.end(), [&](const Entry* other) {
        return other->area != Area::folder && sync::base_name(*other) == *alias;
      });
      if (found == there.end()) return false;
      add(DifferenceKind::name, folder, entry, *found,
          fmt::format("is {} at the destination, where the name {} was taken by another file", place(**found),
                      entry->name));
      compare_files(folder, *entry, **found);
      there.erase(found);
      return true;
    });
  }

  /// Pairs messages of the same base name for which `fits`.
  template <class Fits>
  void match_by(const FolderManifest& folder, Unmatched& here, Unmatched& there, Fits fits) {
    if (here.empty() || there.empty()) return;
    std::unordered_multimap<std::string_view, const Entry*> by_base;
    for (const Entry* entry : there) {
      if (entry->area != Area::folder) by_base.emplace(sync::base_name(*entry), entry);
    }
    pair_up(
        folder, here, there, by_base, [](const Entry& entry) { return sync::base_name(entry); }, fits);
  }

  /// A message with a base name that nobody knows and the stamp, to the nanosecond, of one that is missing is that one.
  void match_renamed(const FolderManifest& folder, Unmatched& here, Unmatched& there) {
    if (here.empty() || there.empty()) return;
    std::unordered_multimap<std::int64_t, const Entry*> by_time;
    for (const Entry* entry : there) {
      if (entry->area != Area::folder && entry->kind == EntryKind::file) by_time.emplace(entry->mtime, entry);
    }
    pair_up(
        folder, here, there, by_time, [](const Entry& entry) { return entry.mtime; }, sync::same_content);
  }

  template <class Index, class Key, class Fits>
  void pair_up(const FolderManifest& folder, Unmatched& here, Unmatched& there, Index& index, Key key, Fits fits) {
    std::set<const Entry*> taken;
    std::erase_if(here, [&](const Entry* entry) {
      if (entry->area == Area::folder) return false;
      const auto [begin, end] = index.equal_range(key(*entry));
      const auto found =
          std::find_if(begin, end, [&](const auto& candidate) { return fits(*entry, *candidate.second); });
      if (found == end) return false;
      const Entry* other = found->second;
      index.erase(found);
      taken.insert(other);
      add(DifferenceKind::name, folder, entry, other,
          fmt::format("{} is {} at the destination", place(*entry), place(*other)));
      compare_files(folder, *entry, *other);
      return true;
    });
    std::erase_if(there, [&](const Entry* entry) { return taken.contains(entry); });
  }

  void compare_files(const FolderManifest& folder, const Entry& source, const Entry& destination) {
    const auto differs = [&](DifferenceKind kind, std::string detail) {
      add(kind, folder, &source, &destination, std::move(detail));
    };
    const bool control = source.area == Area::folder;
    const auto word = [&](DifferenceKind kind) { return control ? DifferenceKind::control : kind; };
    if (source.kind != destination.kind || source.target != destination.target) {
      differs(word(DifferenceKind::content), link_detail(source, destination));
    } else if (source.size != destination.size) {
      differs(word(DifferenceKind::size),
              fmt::format("has {} bytes at the source, {} at the destination", source.size, destination.size));
    } else if (source.kind == EntryKind::file && source.digest && !destination.digest) {
      differs(word(DifferenceKind::content), "could not be read at the destination");
    } else if (source.digest && destination.digest && *source.digest != *destination.digest) {
      differs(word(DifferenceKind::content),
              fmt::format("has the same {} bytes in number, but not the same bytes{}", source.size,
                          same_time(source, destination) ? "" : ", and another time"));
    } else if (is_beyond_carried(source.mtime) && source.kind == EntryKind::file) {
      differs(DifferenceKind::time,
              "has a time beyond the years 1677 to 2262 at the source, which does not come along; " +
                  time_text(destination.mtime) + " at the destination");
    } else if (!same_time(source, destination)) {
      differs(DifferenceKind::time, fmt::format("has time {} at the source, {} at the destination",
                                                time_text(source.mtime), time_text(destination.mtime)));
    }
    if (source.kind == EntryKind::file && destination.kind == EntryKind::file &&
        source.attributes.mode != destination.attributes.mode) {
      differs(DifferenceKind::mode, mode_detail(source.attributes, destination.attributes));
    }
    if (auto detail = owner_detail(source.attributes, destination.attributes); !detail.empty()) {
      differs(DifferenceKind::owner, std::move(detail));
    }
  }

  static std::string link_detail(const Entry& source, const Entry& destination) {
    const auto what = [](const Entry& entry) {
      return entry.kind == EntryKind::symlink ? "a symbolic link to " + entry.target.text() : std::string("a file");
    };
    return "is " + what(source) + " at the source, " + what(destination) + " at the destination";
  }

  const AccountManifest& source_;
  const AccountManifest& destination_;
  const sync::OwnerMapping& owner_;
  const AliasNames& aliases_;
  std::vector<Difference> found_;
};

/// Digests by folder and base name.
using Carried = std::map<std::string, std::unordered_multimap<std::string_view, const Entry*>, std::less<>>;

void carry(AccountManifest& account, const Carried& carried) {
  for (auto& folder : account.folders) {
    const auto entries = carried.find(folder.path);
    if (entries == carried.end()) continue;
    for (auto& entry : folder.entries) {
      const auto [begin, end] = entries->second.equal_range(sync::base_name(entry));
      const auto found =
          std::find_if(begin, end, [&](const auto& candidate) { return sync::same_stamp(*candidate.second, entry); });
      if (found != end) entry.digest = found->second->digest;
    }
  }
}

auto key_of(const Difference& difference) {
  return std::tie(difference.kind, difference.folder, difference.area, difference.name, difference.evidence);
}

/// A content is compared whatever name its message has by now.
auto content_key_of(const Difference& difference) {
  return std::tuple(difference.folder, std::string(sync::base_name(*difference.at_source)), difference.evidence);
}

}  // namespace

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::missing:
      return "missing";
    case DifferenceKind::extra:
      return "extra";
    case DifferenceKind::content:
      return "content";
    case DifferenceKind::name:
      return "name";
    case DifferenceKind::size:
      return "size";
    case DifferenceKind::time:
      return "time";
    case DifferenceKind::owner:
      return "owner";
    case DifferenceKind::mode:
      return "mode";
    case DifferenceKind::control:
      return "control";
  }
  return "";
}

std::vector<Difference> compare(const AccountManifest& source, const AccountManifest& destination,
                                const sync::OwnerMapping& owner_at_destination, const AliasNames& aliases) {
  return Comparison(source, destination, owner_at_destination, aliases).run();
}

void carry_digests(const std::vector<Difference>& earlier, AccountManifest& source, AccountManifest& destination) {
  Carried of_source, of_destination;
  for (const auto& difference : earlier) {
    if (difference.kind != DifferenceKind::content) continue;
    for (const auto& [entry, carried] :
         {std::pair(&difference.at_source, &of_source), std::pair(&difference.at_destination, &of_destination)}) {
      if (*entry && (*entry)->digest) (*carried)[difference.folder].emplace(sync::base_name(**entry), &**entry);
    }
  }
  if (!of_source.empty()) carry(source, of_source);
  if (!of_destination.empty()) carry(destination, of_destination);
}

std::vector<Difference> lasting(const std::vector<Difference>& earlier, std::vector<Difference> now) {
  std::set<decltype(key_of(earlier.front()))> keys;
  std::set<decltype(content_key_of(earlier.front()))> contents;
  for (const auto& difference : earlier) {
    keys.insert(key_of(difference));
    if (difference.kind == DifferenceKind::content) contents.insert(content_key_of(difference));
  }
  std::erase_if(now, [&](const Difference& difference) {
    if (difference.kind == DifferenceKind::content) return !contents.contains(content_key_of(difference));
    return !keys.contains(key_of(difference));
  });
  return now;
}

}  // namespace maildirsync::agent
