#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/sync/manifest.h"

namespace maildirsync::sync::testing {

inline constexpr std::int64_t k_mtime = 1'700'000'000'000'000'000;

/// "cur/1.x:2,S", "new/1.x" or "dovecot-uidlist"; the size and the mtime follow from the inode, so that two files of
/// different inodes differ.
inline Entry file(const std::string& path, std::uint64_t inode) {
  const auto slash = path.find('/');
  const std::string area = slash == std::string::npos ? "" : path.substr(0, slash);
  Entry entry;
  entry.area = area == "cur" ? Area::cur : area == "new" ? Area::new_ : Area::folder;
  entry.name = slash == std::string::npos ? path : path.substr(slash + 1);
  entry.inode = inode;
  entry.size = 1000 + inode;
  entry.mtime = k_mtime + static_cast<std::int64_t>(inode);
  entry.attributes = {0600, 1000, 1000};
  return entry;
}

inline FolderManifest folder(const std::string& path, std::uint64_t inode, std::vector<Entry> entries = {}) {
  constexpr Attributes k_directory{0700, 1000, 1000};
  std::sort(entries.begin(), entries.end(), before_in_folder);
  return {.path = path,
          .inode = inode,
          .self = k_directory,
          .cur = k_directory,
          .new_ = k_directory,
          .tmp = k_directory,
          .scope = Scope::everything,
          .entries = std::move(entries)};
}

inline AccountManifest account(std::vector<FolderManifest> folders) {
  std::sort(folders.begin(), folders.end(),
            [](const FolderManifest& left, const FolderManifest& right) { return left.path < right.path; });
  return {.exists = true, .structure_whole = true, .folders = std::move(folders)};
}

/// As a receiver would list it: without inodes and digests.
inline AccountManifest listed(AccountManifest manifest) {
  for (auto& folder : manifest.folders) {
    folder.inode = 0;
    for (auto& entry : folder.entries) {
      entry.inode = 0;
      entry.digest.reset();
    }
  }
  return manifest;
}

}  // namespace maildirsync::sync::testing
