#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "common/sync/manifest.h"
#include "common/sync/plan_folders.h"

namespace maildirsync::sync {

/// An entry, by its folder's and its own number in their lists.
struct Place {
  std::size_t folder = 0;
  std::size_t entry = 0;
};

/// A file of `after` that must be made.
struct Made {
  Place after;
  const Entry* occupied = nullptr;  ///< what `before` has at that name
  std::size_t before_folder = 0;
  std::optional<Place> source{};  ///< a before entry that is the same message
  std::optional<Place> twin{};    ///< an after entry of the same inode that is put first
};

/// A file that stays, with another owner, mode or time.
struct Changed {
  Place after, before;
};

struct Matches {
  std::vector<std::vector<bool>> retained;  ///< entries of `before` that stay under their names, by their folders
  std::vector<Made> made;                   ///< in the order of `after`
  std::vector<Changed> changed;             ///< of the retained ones
};

/// What of `after` is there already, and where each file that is not may come from. `before` has every folder of
/// `after` and is sorted; `known` is what it was made of. Pure.
Matches match(const std::vector<Present>& before, const AccountManifest& known, const AccountManifest& after);

}  // namespace maildirsync::sync
