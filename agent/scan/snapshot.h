#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/os/directory.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// Control files that name messages are kept in memory up to this size.
inline constexpr std::size_t k_snapshot_limit = 1024 * 1024;

/// A control file as it was before the messages were listed: its content or, of a larger one, the digest of its first
/// bytes, as many as its entry says. What is appended later leaves these as they are; anything else shows.
struct Snapshot {
  std::string content;
  std::optional<sync::Digest> digest;
};

/// Of what it stands for.
sync::Digest digest_of(const Snapshot& snapshot);

enum class SnapshotEnd : std::uint8_t {
  taken,       ///< the entry is of what was read
  unreadable,  ///< the sender meets the same error, and reports it
  restless,    ///< it changed while it was read, each time
};

/// Reads the control file that the entry names in its folder's directory. `folder` is below the account, for messages.
SnapshotEnd take_snapshot(const os::Directory& directory, const std::string& folder, sync::Entry& entry,
                          Snapshot& snapshot);

}  // namespace maildirsync::agent
