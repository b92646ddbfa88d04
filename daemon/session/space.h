#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/os/directory.h"
#include "common/wire/protocol.pb.h"
#include "daemon/apply/trash_walk.h"
#include "daemon/owner/owner_map.h"

namespace maildirsync::daemon {

// What an agent is told of the room that a root has. Blocks on files.

/// Of the root's file system. `directory` null: `error` says why.
void tell_space(const os::Directory* directory, const std::optional<Error>& error, wire::MappedOwners::Space& out);

/// What lies in its trash.
void tell_trash(const TrashUse& use, unsigned days, wire::MappedOwners::Space& out);

/// Whether a file of `bytes` and of that owner could be written in an account now. Tried where the account is, or is to
/// be: a file system may be mounted on it or above it.
Result<> try_room_of(const os::Directory& root, const std::string& account, std::uint64_t bytes, const OwnerId& owner,
                     wire::MappedOwners::Room& out);

}  // namespace maildirsync::daemon
