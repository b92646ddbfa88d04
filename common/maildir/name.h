#pragma once

#include <string>
#include <string_view>

namespace maildirsync::maildir {

/// A message file's name, split. `base` + `flags` is the name; `flags` holds the separator (":2,S"), or is empty.
struct MessageName {
  std::string_view base;
  std::string_view flags;
};

/// Splits at the info part: the last ":2," and, as imported trees have them, ";2," or "!2," (maildir(5); Dovecot and
/// others use the latter on file systems without colons). A name without one is all base. Never fails: any bytes are
/// a name.
MessageName split(std::string_view name);

/// The unique part before the flags.
std::string_view base_of(std::string_view name);

/// Directly in a folder's directory: names that are rebuilt or transient and are not mirrored: *.lock,
/// mailboxes.lock*, dovecot-uidlist.tmp, dovecot.index*, dovecot.list.index*, dovecot.mailbox.log*, .nfs*, and our own
/// asides (.maildirsync.*). Not for cur/ and new/: there only .nfs* and our asides are left out.
bool is_left_out(std::string_view name);
bool is_left_out_of_messages(std::string_view name);

/// Whether a symbolic link's target is relative and stays inside the account, by its text, seen from the link's
/// directory below the account. It may go up only at its beginning: "a/../b" leads elsewhere once `a` is a link.
bool link_stays_inside(std::string_view directory, std::string_view target);

/// Our own prefix of files written aside; never mirrored, refused from the wire.
inline constexpr std::string_view k_aside_prefix = ".maildirsync.";

}  // namespace maildirsync::maildir
