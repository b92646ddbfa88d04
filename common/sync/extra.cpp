#include "common/sync/extra.h"

#include <algorithm>

namespace maildirsync::sync {

namespace {

void put_aside(const FolderManifest& folder, const Entry& entry, std::vector<Operation>& operations) {
  operations.push_back({.kind = OperationKind::remove,
                        .from = {folder.path, entry.area, entry.name},
                        .expected = entry,
                        .to_trash = true});
}

}  // namespace

std::vector<Operation> removals_of_extra(const AccountManifest& listed, const std::vector<Location>& extra) {
  std::vector<Operation> operations;
  std::vector<std::string> folders;
  for (const auto& at : extra) {
    const auto* folder = listed.find(at.folder);
    if (folder == nullptr) continue;
    if (!at.name.empty()) {
      if (const auto* entry = find_entry(folder->entries, at.area, at.name)) put_aside(*folder, *entry, operations);
      continue;
    }
    folders.push_back(at.folder);
    for (const auto& entry : folder->entries)
      put_aside(*folder, entry, operations);
  }
  std::sort(folders.rbegin(), folders.rend());  // what is below another one sorts after it
  for (const auto& path : folders)
    operations.push_back({.kind = OperationKind::remove_folder, .from = {path, Area::folder, ""}, .to_trash = true});
  return operations;
}

}  // namespace maildirsync::sync
