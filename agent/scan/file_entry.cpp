#include "agent/scan/file_entry.h"

#include <array>
#include <utility>

#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/kept_times.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

namespace {

using sync::Area;
using sync::Entry;

const char* kind_word(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a fifo";
  if (S_ISDIR(mode)) return "a directory among messages";
  return "a device";
}

/// Why a directory among messages may hide mail; nothing when it holds none.
std::optional<ScanProblem> mail_in(const os::Directory& directory, Area area, const std::string& name) {
  const auto mailbox = name == "cur" ? Result<std::string>(name) : mailbox_in(directory, name);
  if (!mailbox) {
    return ScanProblem{mailbox.error().code, "", "nobody knows whether mail lies in it: " + mailbox.error().message()};
  }
  if (mailbox->empty()) return std::nullopt;
  // By the name of the entry, by which it is looked at again.
  const std::string of = *mailbox == name ? "" : " (" + *mailbox + ")";
  return ScanProblem{ErrorCode::mail_left_out, "",
                     std::string("it is a mailbox") + (of.empty() ? "" : ", or holds one,") + " inside of " +
                         (area == Area::cur ? "cur/" : "new/") + of +
                         ", as a mailbox or user of that name makes it: its mail is not mirrored. Rename it at the "
                         "source, or make it an account of its own"};
}

/// Why a link that leaves the account is left out.
ScanProblem link_problem(const os::Directory& directory, Area area, const std::string& name, const std::string& to) {
  const Target target_is = leads_to(directory, name);
  if (target_is == Target::directory) {
    return {ErrorCode::mail_left_out, "",
            "it is a symbolic link to a directory out of the account (" + to +
                "): what lies there is not mirrored. Put the directory itself in its place, or make a [[root]] of it"};
  }
  if (target_is == Target::file && area != Area::folder) {
    return {ErrorCode::mail_left_out, "",
            "it is a symbolic link to a message out of the account (" + to +
                "), which is not mirrored. Put the file itself in its place"};
  }
  return {ErrorCode::special_file, "", "it is a symbolic link that leaves the account, and left out"};
}

}  // namespace

FileEntry file_entry(const os::Directory& directory, const std::string& folder, Area area, const std::string& name,
                     const struct stat& status) {
  FileEntry found;
  const auto left_out = [&](ScanProblem problem) {
    problem.path = sync::path_of({folder, area, name});
    found.problem = std::move(problem);
    return found;
  };
  Entry entry;
  entry.area = area;
  entry.name = name;
  entry.inode = status.st_ino;
  entry.size = static_cast<std::uint64_t>(status.st_size);
  entry.mtime = os::nanoseconds(status.st_mtim);
  const bool is_link = S_ISLNK(status.st_mode);
  if (S_ISREG(status.st_mode) || is_link) entry.attributes = attributes_of(directory, name, status, found.acls);
  if (S_ISREG(status.st_mode)) {
    found.entry = std::move(entry);
    return found;
  }
  if (S_ISDIR(status.st_mode)) {
    if (auto mail = mail_in(directory, area, name)) return left_out(std::move(*mail));
  }
  if (!is_link) {
    return left_out(
        {ErrorCode::special_file, "", std::string("it is ") + kind_word(status.st_mode) + ", and left out"});
  }
  std::array<char, 4097> target{};
  const ssize_t size = ::readlinkat(directory.fd(), name.c_str(), target.data(), target.size());
  if (size < 0) return found;  // gone, or another thing by now: an event tells
  entry.kind = sync::EntryKind::symlink;
  const std::string to(target.data(), static_cast<std::size_t>(size));
  entry.target = to;
  entry.size = to.size();
  if (!maildir::link_stays_inside(sync::directory_of({folder, area, ""}), to)) {
    return left_out(link_problem(directory, area, name, to));
  }
  found.entry = std::move(entry);
  return found;
}

}  // namespace maildirsync::agent
