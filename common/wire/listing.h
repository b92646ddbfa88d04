#pragma once

#include "common/os/result.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::wire {

/// Puts the listing's folders and accounts, compressed, in the place of both: names and times of mail shrink to less
/// than half. Each listing by itself.
void pack(Listing& listing);

/// The folders and accounts of a packed listing; another one stays as it is. protocol or too_big (as headers are
/// bounded, k_max_header) when it is not one of ours.
Result<> unpack(Listing& listing);

}  // namespace maildirsync::wire
