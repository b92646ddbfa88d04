#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/os/content.h"
#include "common/os/result.h"
#include "common/sync/manifest.h"

namespace maildirsync::agent {

/// What a body on the wire consists of: bytes of a content between two texts. With `digest`, these bytes must have that
/// one. The content refers to what it was made of.
struct Body {
  os::Content content;
  std::uint64_t offset = 0, end = 0;
  std::string head, tail;
  std::optional<sync::Digest> digest;

  std::uint64_t size() const { return head.size() + (end - offset) + tail.size(); }
};

/// The file that is read is not the one that was looked at any more: the next look finds it.
Failure changed_while_read(const std::string& path);

/// How a control file is sent: as a whole, or as a delta against what the destination holds.
struct ControlBody {
  Body body;
  sync::Digest digest;                       ///< of the whole file
  std::optional<sync::Digest> basis;         ///< with a delta: of what it is against
  std::optional<std::string> signature;      ///< by which the next delta can be made
  std::shared_ptr<const std::string> delta;  ///< what the body refers to, where it was worked out
};

/// What a delta can be made against.
struct ControlBasis {
  std::uint64_t size = 0;
  sync::Digest digest;
  std::optional<std::string> signature;  ///< of it, if it was kept
};

/// Mostly something was appended, and then the work does not grow with the file. `expected`: the digest that the
/// content has if it is still the one to be sent; changed_while_read when it has another one. `path` is for messages.
Result<ControlBody> control_body(const os::Content& content, const std::optional<ControlBasis>& basis,
                                 const std::optional<sync::Digest>& expected, const std::string& path);

}  // namespace maildirsync::agent
