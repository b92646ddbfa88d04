#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace maildirsync::os {

/// A mode, and whether it comes from an access ACL with more entries than owner, group and others.
struct PlainMode {
  std::uint32_t mode = 0;
  bool had_acl = false;
};

/// The mode that a file needs to let nobody do more without its ACL than with it. With an ACL (acl(5)) the mode's group
/// bits are the mask, which is what any named user or group may have at most, and not what the owning group has. So
/// they become the group's own entry below the mask; and a user whom the ACL shuts out must not get in as one of the
/// group or of the others: both get no more than each named entry has. `acl` is the value of the attribute
/// system.posix_acl_access; one that cannot be read leaves only the owner's bits. Pure.
PlainMode mode_without_acl(std::uint32_t mode, std::string_view acl);

/// The same for what lies in a directory; "" is the directory itself. Asks for the ACL only where the mode lets group
/// or others do anything at all: else there is nothing to narrow.
PlainMode mode_without_acl_of(int directory, const std::string& name, std::uint32_t mode);

}  // namespace maildirsync::os
