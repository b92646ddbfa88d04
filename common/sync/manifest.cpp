#include "common/sync/manifest.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "common/maildir/name.h"

namespace maildirsync::sync {

const std::string& LinkTarget::text() const {
  static const std::string k_none;
  return text_ ? *text_ : k_none;
}

bool before_in_folder(const Entry& left, const Entry& right) {
  return std::tie(left.area, left.name) < std::tie(right.area, right.name);
}

const Entry* find_entry(const std::vector<Entry>& entries, Area area, std::string_view name) {
  const auto found = std::lower_bound(entries.begin(), entries.end(), std::pair(area, name),
                                      [](const Entry& entry, const std::pair<Area, std::string_view>& wanted) {
                                        return std::pair(entry.area, std::string_view(entry.name)) < wanted;
                                      });
  return found != entries.end() && found->area == area && found->name == name ? &*found : nullptr;
}

bool before_in_account(const FolderManifest& left, const FolderManifest& right) {
  return left.path < right.path;
}

const FolderManifest* find_folder(const std::vector<FolderManifest>& folders, std::string_view path) {
  const auto found = std::lower_bound(folders.begin(), folders.end(), path,
                                      [](const FolderManifest& folder, std::string_view p) { return folder.path < p; });
  return found != folders.end() && found->path == path ? &*found : nullptr;
}

FolderManifest* find_folder(std::vector<FolderManifest>& folders, std::string_view path) {
  return const_cast<FolderManifest*>(find_folder(std::as_const(folders), path));
}

const Entry* AccountManifest::find(std::string_view path, Area area, std::string_view name) const {
  const auto* folder = find(path);
  return folder == nullptr ? nullptr : find_entry(folder->entries, area, name);
}

std::string_view base_name(const Entry& entry) {
  return entry.area == Area::folder ? std::string_view(entry.name) : maildir::base_of(entry.name);
}

}  // namespace maildirsync::sync
