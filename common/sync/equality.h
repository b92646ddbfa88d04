#pragma once

#include <sys/stat.h>

#include "common/sync/manifest.h"
#include "common/sync/operation.h"

namespace maildirsync::sync {

// What it means that two files are equal. All questions of that kind are here, because each wrong answer loses mail
// (two that are not equal are taken for one) or sends it again (one is taken for two).
//
//                  compares                                    asks
//   same_stamp     kind, size, target, mtime                   is it the same file, as far as a listing tells?
//   same_content   same_stamp; digests, where both were read   need its content not be sent?
//   same_message   same_stamp; inode, or else base name        is it the same message, whatever its name and flags?
//   same_record    mtime, inode, mode, owner                   of equal content: is there nothing to tell of it?
//   same_version   same_stamp; inode                           does a digest that was read earlier still hold?
//   is_as_scanned  regular; size, mtime, uid                   is what was opened what the scan has seen?
//   is_intended    size, mtime                                 is it what we were about to create?
//   is_torn        size, mtime, digest                         is it what a power cut left of our file?
//
// The stamp of a symbolic link has no mtime: no destination keeps it. Whether an inode may have been given to another
// file meanwhile is a question of two whole accounts: see identity.h. What a file of the destination is, the receiver
// finds out with the file open: see is_expected in daemon/apply/content.h.

bool same_stamp(const Entry& left, const Entry& right);

/// What was read counts more than a stamp: a file that is written twice within the grain of its file system shows the
/// same size and time.
bool same_content(const Entry& left, const Entry& right);

/// A Maildir message never changes in place, so its stamp and its inode are it. An inode is 0 where the receiver listed
/// the entry.
bool same_message(const Entry& left, const Entry& right);

bool same_record(const Entry& left, const Entry& right);

bool same_version(const Entry& left, const Entry& right);

/// Another's file that was put in its place since may have its size and time, but not its owner.
bool is_as_scanned(const struct stat& status, const Entry& entry);

bool is_intended(const Entry& listed, const Intent& intent);

/// Whether `listed` may be what a power cut has left of our file, where it stands in its place: shorter, and of our
/// time or without any content, so that nobody else's is in it. Or of our size and time, with another content.
bool is_torn(const Entry& listed, const Entry& ours);

}  // namespace maildirsync::sync
