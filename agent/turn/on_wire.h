#pragma once

#include "common/sync/aliases.h"
#include "common/sync/operation.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

/// Whether what the destination has is to belong to another user, or belongs to one that was not expected: then it is
/// told whose it was, and of a file the digest, which alone says there that it is the one. Pure.
bool changes_owner(const sync::Operation& operation);

/// The operation as it goes over the wire: by the names that its messages have at the destination, and without what is
/// known there already. Pure.
void put_on_wire(const sync::Operation& operation, const sync::Aliases& aliases, wire::Operation& out);

}  // namespace maildirsync::agent
