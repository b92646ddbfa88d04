#include "agent/verify/compare.h"

#include <algorithm>
#include <limits>

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

std::string mode_detail(const Attributes& source, const Attributes& destination) {
  return fmt::format("has mode {:04o} at the source, {:04o} at the destination", source.mode, destination.mode);
}

std::string link_detail(const Entry& source, const Entry& destination) {
  const auto what = [](const Entry& entry) {
    return entry.kind == EntryKind::symlink ? "a symbolic link to " + entry.target.text() : std::string("a file");
  };
  return "is " + what(source) + " at the source, " + what(destination) + " at the destination";
}

bool leads_out(const FolderManifest& folder, const Entry& entry) {
  return entry.kind == EntryKind::symlink &&
         !maildir::link_stays_inside(sync::directory_of({folder.path, entry.area, ""}), entry.target.text());
}

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
    const Unpaired rest = pair_up(source, destination, aliases_, [&](const Pair& pair) { compare_pair(source, pair); });
    for (const Entry* entry : rest.at_source)
      add_missing(source, *entry);
    for (const Entry* entry : rest.at_destination)
      add_extra(source, *entry);
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

  void compare_pair(const FolderManifest& folder, const Pair& pair) {
    const Entry& here = *pair.source;
    const Entry& there = *pair.destination;
    if (pair.by == Pair::By::alias) {
      add(DifferenceKind::name, folder, &here, &there,
          fmt::format("is {} at the destination, where the name {} was taken by another file", place(there),
                      here.name));
    } else if (pair.by == Pair::By::message) {
      add(DifferenceKind::name, folder, &here, &there,
          fmt::format("{} is {} at the destination", place(here), place(there)));
    }
    compare_files(folder, here, there);
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

  const AccountManifest& source_;
  const AccountManifest& destination_;
  const sync::OwnerMapping& owner_;
  const AliasNames& aliases_;
  std::vector<Difference> found_;
};

}  // namespace

std::vector<Difference> compare(const AccountManifest& source, const AccountManifest& destination,
                                const sync::OwnerMapping& owner_at_destination, const AliasNames& aliases) {
  return Comparison(source, destination, owner_at_destination, aliases).run();
}

}  // namespace maildirsync::agent
