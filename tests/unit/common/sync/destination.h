#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/sync/operation.h"

namespace maildirsync::sync::testing {

/// What a receiver's file system would hold: a strict reading of docs/protocol.md, where each operation finds what it
/// expects or is refused. Unlike apply(), it forgives nothing.
class Destination {
 public:
  explicit Destination(const AccountManifest& holds);

  /// A sentence when the operation is refused; "" when it is done.
  std::string step(const Operation& operation);

  /// The entry at a place; nothing when no file is there.
  const Entry* at(const Location& place) const;
  bool holds_message(std::uint64_t inode, std::uint64_t size, std::int64_t mtime) const;

 private:
  using Place = std::pair<std::string, std::string>;  ///< directory and name

  static Place place_of(const Location& location);
  bool is_directory(const Place& place) const;
  std::string refuse_unless_expected(const Location& location, const std::optional<Entry>& expected) const;
  std::string make_folder(const Operation& operation);
  std::string rename_folder(const Operation& operation);
  std::string remove_folder(const std::string& folder);
  std::string add(const Operation& operation);
  bool is_empty(const std::string& directory) const;

  std::map<std::string, bool> directories_;  ///< to whether it is a cur/, new/ or tmp/
  std::map<Place, Entry> files_;
};

/// For a person who reads a failure.
std::string describe(const Operation& operation);
std::string describe(const std::vector<Operation>& operations);
std::string describe(const AccountManifest& manifest);

}  // namespace maildirsync::sync::testing
