#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// (folder, base name) → the base name by which the destination has a message whose own name was taken there.
using AliasNames = std::map<std::pair<std::string, std::string>, std::string>;

/// Two files that are one to a person, at the source and at the destination.
struct Pair {
  enum class By : std::uint8_t {
    name,
    alias,    ///< its own name is another file's at the destination
    message,  ///< under other names: by the base name, or by size and time
  };
  By by = By::name;
  const sync::Entry* source = nullptr;
  const sync::Entry* destination = nullptr;
};

/// What is left of a folder's files without a partner. Points into both manifests.
struct Unpaired {
  std::vector<const sync::Entry*> at_source, at_destination;
};

/// Finds the pairs of a folder's files: each file is in one at most, by its name if that is at both sides, else a
/// message by what else tells it. `found` is called for each, in the order of the source's names within each way. Pure.
Unpaired pair_up(const sync::FolderManifest& source, const sync::FolderManifest& destination, const AliasNames& aliases,
                 const std::function<void(const Pair&)>& found);

}  // namespace maildirsync::agent
