#include "agent/send/doubtful.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include <sys/stat.h>

#include "agent/send/sender.h"
#include "common/codec/digest.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;
using sync::FolderManifest;

bool is_message(const Entry& entry) {
  return entry.area != Area::folder && entry.kind == sync::EntryKind::file && entry.inode != 0;
}

struct Known {
  const FolderManifest* folder = nullptr;
  const Entry* entry = nullptr;
};

bool is_still_there(const Known& known, const sync::AccountManifest& after) {
  const auto* folder = after.find(known.folder->path);
  if (folder == nullptr) return false;
  const auto found =
      std::lower_bound(folder->entries.begin(), folder->entries.end(), *known.entry, sync::before_in_folder);
  return found != folder->entries.end() && found->area == known.entry->area && found->name == known.entry->name &&
         found->inode == known.entry->inode;
}

std::optional<sync::Digest> read(const os::Directory& account, const std::string& folder, const Entry& entry) {
  const std::string path = path_of({folder, entry.area, entry.name});
  const auto fd = account.open_for_reading(path);
  if (!fd) return std::nullopt;
  const auto digest = codec::digest_of(fd->get(), path);
  struct stat status {};
  if (!digest || ::fstat(fd->get(), &status) != 0) return std::nullopt;
  const bool is_it = status.st_ino == entry.inode && static_cast<std::uint64_t>(status.st_size) == entry.size &&
                     os::nanoseconds(status.st_mtim) == entry.mtime;
  return is_it ? std::optional(*digest) : std::nullopt;
}

}  // namespace

void read_doubtful(const os::Directory& account, const sync::AccountManifest& before, sync::AccountManifest& after) {
  std::unordered_multimap<std::uint64_t, Known> by_inode;
  for (const auto& folder : before.folders) {
    for (const auto& entry : folder.entries) {
      if (is_message(entry)) by_inode.emplace(entry.inode, Known{&folder, &entry});
    }
  }
  if (by_inode.empty()) return;
  for (auto& folder : after.folders) {
    for (auto& entry : folder.entries) {
      if (!is_message(entry)) continue;
      const auto [begin, end] = by_inode.equal_range(entry.inode);
      bool doubtful = false;
      for (auto known = begin; known != end; ++known) {
        const auto sameness = sync::sameness(*known->second.entry, entry, false);
        if (sameness == sync::Sameness::other) continue;
        doubtful = sameness == sync::Sameness::doubtful && !is_still_there(known->second, after);
        if (!doubtful) break;
      }
      if (doubtful) entry.digest = read(account, folder.path, entry);
    }
  }
}

}  // namespace maildirsync::agent
