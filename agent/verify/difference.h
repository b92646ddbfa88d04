#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// In what source and destination differ.
enum class DifferenceKind : std::uint8_t {
  missing,  ///< not at the destination: an account, a folder, a directory of one, a message
  extra,    ///< at the destination only: others put it there
  content,  ///< other bytes of the same number
  name,     ///< the message is there by another name: other flags, new/ for cur/, another base name
  size,
  time,   ///< mtime
  owner,  ///< not what the receiver makes of the source's owner
  mode,
  control,  ///< a control file is missing or has other bytes
};

/// The word for people and programs.
std::string_view to_string(DifferenceKind kind);

struct Difference {
  DifferenceKind kind = DifferenceKind::missing;
  std::string folder;  ///< below the account; "" is the account's own
  sync::Area area = sync::Area::folder;
  std::string name;    ///< of the file, at the source if it is there; "" the folder itself; "cur", "new", "tmp" these
  std::string detail;  ///< a sentence without its subject
  /// What both sides showed. The same difference with the same evidence at a later comparison is one that nobody's
  /// change on the way can explain.
  std::string evidence;
  std::optional<sync::Entry> at_source;       ///< a file's
  std::optional<sync::Entry> at_destination;  ///< a file's; `inode` is the stamp of its last change, in ns
};

/// Gives digests that an earlier comparison found different to the files that are still the same ones, so that nothing
/// is read again.
void carry_digests(const std::vector<Difference>& earlier, sync::AccountManifest& source,
                   sync::AccountManifest& destination);

/// The differences that both comparisons found, with the same evidence.
std::vector<Difference> lasting(const std::vector<Difference>& earlier, std::vector<Difference> now);

}  // namespace maildirsync::agent
