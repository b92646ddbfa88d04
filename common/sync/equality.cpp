#include "common/sync/equality.h"

#include "common/os/directory.h"

namespace maildirsync::sync {

bool same_stamp(const Entry& left, const Entry& right) {
  return left.kind == right.kind && left.size == right.size && left.target == right.target &&
         (left.mtime == right.mtime || left.kind == EntryKind::symlink);
}

bool same_content(const Entry& left, const Entry& right) {
  return same_stamp(left, right) && (!left.digest || !right.digest || *left.digest == *right.digest);
}

bool same_message(const Entry& left, const Entry& right) {
  if (!same_stamp(left, right)) return false;
  if (left.inode != 0 && right.inode != 0) return left.inode == right.inode;
  return base_name(left) == base_name(right);
}

bool same_record(const Entry& left, const Entry& right) {
  return left.inode == right.inode && left.attributes == right.attributes && left.mtime == right.mtime;
}

bool same_version(const Entry& left, const Entry& right) {
  return same_stamp(left, right) && left.inode == right.inode;
}

bool is_as_scanned(const struct stat& status, const Entry& entry) {
  return S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) == entry.size &&
         os::nanoseconds(status.st_mtim) == entry.mtime && status.st_uid == entry.attributes.uid;
}

bool is_intended(const Entry& listed, const Intent& intent) {
  return intent.size == listed.size && (intent.mtime == listed.mtime || listed.kind == EntryKind::symlink);
}

bool is_torn(const Entry& listed, const Entry& ours) {
  if (listed.kind != EntryKind::file || ours.kind != EntryKind::file) return false;
  if (listed.size < ours.size) return listed.size == 0 || listed.mtime == ours.mtime;
  return same_stamp(listed, ours) && listed.digest && ours.digest && *listed.digest != *ours.digest;
}

}  // namespace maildirsync::sync
