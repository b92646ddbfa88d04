#pragma once

#include "common/os/kept_times.h"
#include "common/os/result.h"
#include "common/sync/operation.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::wire {

/// Between the wire's messages and ours. Coming from the wire, everything is checked: enumerations, digest lengths,
/// modes, and that folders are confined paths and names single components that are not ours (protocol or bad_name).
void to_wire(const sync::Entry& entry, Entry& out);
void to_wire(const sync::FolderShape& shape, FolderShape& out);
void to_wire(const sync::Operation& operation, Operation& out);
Result<sync::Entry> from_wire(const Entry& entry);
Result<sync::FolderShape> from_wire(const FolderShape& shape);
Result<sync::Operation> from_wire(const Operation& operation);
void to_wire(const os::KeptTimes& times, KeptTimes& out);
/// Of a peer that does not tell, or tells what cannot be: every time.
os::KeptTimes from_wire(const KeptTimes& times);

/// What a side says of why it ends the connection.
Header goodbye(ErrorCode code, const std::string& sentence);

}  // namespace maildirsync::wire
