// The walk over an account's directories. What may happen under it, and the test that holds it
// (tests/unit/agent/scan/scan_structure_test.cpp):
//
//  1. A directory is handed to the watcher before it is listed, and its stamp is taken before, too: what comes later
//  has an
//     event, or another stamp than the one that is remembered. visits_each_directory_before_it_is_listed,
//     finds_a_folder_that_came_while_its_parent_was_visited
//  2. A directory that vanishes between its parent's listing and its own may have been renamed to a place that was
//  passed
//     already. So the structure is not whole, and nobody takes a folder that is not in it for removed.
//     a_folder_that_vanishes_meanwhile_leaves_the_rest
//  3. The same holds for one that cannot be read: it is there, whatever is in it.
//     a_directory_that_cannot_be_read_is_there_all_the_same
//  4. Links are never followed, so there is no loop, and an account that was replaced by a link is not gone, but not
//  whole.
//     follows_no_link, an_account_behind_a_link_is_not_whole_rather_than_gone
//  5. cur/, new/ and tmp/ are named like mailboxes that users can make: one that holds a cur/ of its own is told of,
//  for
//     its mail would be missed. (scan_folder_test.cpp: mail_behind_links_and_in_mailboxes_among_messages_…)

#include "agent/scan/structure.h"

#include <algorithm>
#include <cerrno>

#include <dirent.h>
#include <sys/stat.h>

#include "agent/scan/foreign_format.h"
#include "common/maildir/name.h"
#include "common/maildir/search_index.h"
#include "common/os/explained.h"
#include "common/os/kept_times.h"
#include "common/os/mount_point.h"
#include "common/os/path.h"

namespace maildirsync::agent {

namespace {

bool is_area(const std::string& name) {
  return name == "cur" || name == "new" || name == "tmp";
}

/// The directories of an account.
class StructureWalk {
 public:
  explicit StructureWalk(const OnDirectory& on_directory) : on_directory_(on_directory) {}

  StructureScan run(const os::Directory& root, const std::string& account) {
    scan_.manifest.structure_whole = true;
    auto directory = root.open_directory(account);
    const auto status = directory ? Result<struct stat>() : root.status(account);
    if (directory) {
      folder(*directory, "", mount_above(root, account), 0);
      look_for_mbox(*directory);
    } else if (status && S_ISLNK(status->st_mode)) {
      unreadable("", Error{ErrorCode::special_file, account,
                           "a symbolic link is where the account was; it is not followed", 0});
    } else if (directory.error().code == ErrorCode::vanished || directory.error().error_number == ENOTDIR) {
      scan_.manifest.exists = false;
    } else {
      unreadable("", directory.error());
    }
    std::sort(
        scan_.manifest.folders.begin(), scan_.manifest.folders.end(),
        [](const sync::FolderManifest& left, const sync::FolderManifest& right) { return left.path < right.path; });
    return std::move(scan_);
  }

 private:
  /// Where there is no Maildir at all, the mail may lie there in another way.
  void look_for_mbox(const os::Directory& account) {
    const auto& folders = scan_.manifest.folders;
    const bool has_maildir =
        std::any_of(folders.begin(), folders.end(), [](const auto& one) { return one.cur || one.new_; });
    if (has_maildir) return;
    if (auto mbox = mbox_in(account)) scan_.problems.push_back(std::move(*mbox));
  }

  /// Of the directory that the account lies in.
  static std::uint64_t mount_above(const os::Directory& root, const std::string& account) {
    const auto above = root.open_directory(os::above(account));
    return above ? os::mount_of(above->fd()) : 0;
  }

  void folder(const os::Directory& directory, const std::string& path, std::uint64_t mount_above, int depth) {
    on_directory_(directory, path, Part::folder);
    const auto status = directory.status("");
    const auto names = directory.list();
    if (!status || !names) return unreadable(path, status ? names.error() : status.error());
    sync::FolderManifest manifest;
    manifest.path = path;
    manifest.inode = status->st_ino;
    manifest.self = attributes_of(directory, "", *status, scan_.acls);
    const auto mount = os::mount_of(directory.fd());
    scan_.mounts[path] = os::mounted_at(directory.fd(), mount_above);
    Stamps stamps;
    stamps.self = os::nanoseconds(status->st_mtim);
    std::vector<std::string> below;
    for (const auto& name : *names) {
      if (!is_directory(directory, name)) continue;
      if (name.name.starts_with(maildir::k_aside_prefix)) {
        scan_.problems.push_back(reserved_name(os::join(path, name.name)));
      } else if (is_area(name.name)) {
        area(directory, path, name.name, manifest, stamps);
      } else if (auto dbox = dbox_in(directory, name.name, os::join(path, name.name))) {
        scan_.problems.push_back(std::move(*dbox));
      } else if (!maildir::is_search_index(directory, name.name)) {
        below.push_back(name.name);
      }
    }
    scan_.manifest.folders.push_back(std::move(manifest));
    scan_.stamps[path] = stamps;
    for (const auto& name : below) {
      const std::string next = os::join(path, name);
      if (depth + 1 >= k_max_depth) {
        unreadable(next, Error{ErrorCode::too_big, next, "folders are nested too deep", 0});
        continue;
      }
      const auto opened = directory.open_directory(name);
      if (opened) {
        folder(*opened, next, mount, depth + 1);
      } else {
        unreadable(next, opened.error());
      }
    }
  }

  void area(const os::Directory& directory, const std::string& path, const std::string& name,
            sync::FolderManifest& manifest, Stamps& stamps) {
    if (name == "tmp") {
      const auto opened = directory.open_directory(name);  // nobody looks into it, so it need not be readable
      if (opened) on_directory_(*opened, path, Part::tmp);
      const auto status = directory.status(name);
      if (status) manifest.tmp = attributes_of(directory, name, *status, scan_.acls);
      if (status && opened) look_for_mailboxes(*opened, os::join(path, name), *status);
      return;
    }
    const auto opened = directory.open_directory(name);
    if (!opened) unreadable(os::join(path, name), opened.error());
    if (opened) on_directory_(*opened, path, name == "cur" ? Part::cur : Part::new_);
    // One of them may have a file system of its own too: then the folder's number is another.
    if (opened) scan_.mounts[path] ^= os::mounted_at(opened->fd(), os::mount_of(directory.fd())) & ~std::uint64_t{1};
    const auto status = opened ? opened->status("") : directory.status(name);
    if (!status) return unreadable(os::join(path, name), status.error());
    // One that cannot be read is there all the same, and nobody knows whether it changed.
    const auto attributes = attributes_of(directory, name, *status, scan_.acls);
    const std::int64_t stamp = opened ? os::nanoseconds(status->st_mtim) : 0;
    if (name == "cur") {
      manifest.cur = attributes;
      stamps.cur = stamp;
    } else {
      manifest.new_ = attributes;
      stamps.new_ = stamp;
    }
  }

  /// A tmp/ that is a mailbox called "tmp", or has some below it. Where a directory's links count its directories, a
  /// tmp/ without any is not read; other file systems give it one link.
  void look_for_mailboxes(const os::Directory& tmp, const std::string& path, const struct stat& status) {
    constexpr nlink_t k_without_directories = 2;
    if (status.st_nlink == k_without_directories) return;
    const auto names = tmp.list();
    if (!names) return;
    for (const auto& name : *names) {
      if (!is_directory(tmp, name)) continue;
      const auto mailbox = name.name == "cur" ? Result<std::string>("") : mailbox_in(tmp, name.name);
      if (!mailbox) {
        scan_.problems.push_back({mailbox.error().code, os::join(path, name.name),
                                  "nobody knows whether mail lies in it: " + mailbox.error().message()});
        continue;
      }
      if (mailbox->empty() && name.name != "cur") continue;
      scan_.problems.push_back(
          {ErrorCode::mail_left_out, os::join(path, *mailbox),
           "it is a mailbox in the place of a tmp/, as a mailbox or user called \"tmp\" makes it: its mail is not "
           "mirrored. Rename it at the source, or make it an account of its own"});
    }
  }

  /// What is not seen is not removed for that; what vanished meanwhile is seen by the next walk.
  void unreadable(const std::string& path, const Error& error) {
    scan_.manifest.structure_whole = false;
    if (error.code == ErrorCode::vanished) return;
    const Error told = os::explained(error, os::Side::source);
    scan_.problems.push_back({told.code, path, told.message()});
  }

  const OnDirectory& on_directory_;
  StructureScan scan_;
};

}  // namespace

StructureScan scan_structure(const os::Directory& root, const std::string& account, const OnDirectory& on_directory) {
  return StructureWalk(on_directory).run(root, account);
}

}  // namespace maildirsync::agent
