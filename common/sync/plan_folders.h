#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/sync/manifest.h"
#include "common/sync/operation.h"

namespace maildirsync::sync {

/// A folder of `before` as the operations so far make it. Its entries stay where they are: of a large folder there is
/// no second copy.
struct Present {
  std::string path;
  std::uint64_t inode = 0;
  FolderShape shape;
  std::vector<const Entry*> entries;
};

FolderShape shape_of(const FolderManifest& folder);

/// Adds the operations that rename and make folders, and take away the files in their way, so that every folder of
/// `after` is there. What `before` is then, sorted by path; it points into `before`. Folders that go are left to the
/// end, when they are empty. Pure.
std::vector<Present> plan_folders(const AccountManifest& before, const AccountManifest& after,
                                  std::vector<Operation>& operations);

}  // namespace maildirsync::sync
