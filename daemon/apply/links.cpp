#include "daemon/apply/links.h"

#include <algorithm>
#include <array>
#include <optional>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/path.h"
#include "common/os/printable.h"
#include "daemon/apply/account.h"
#include "daemon/apply/content.h"

namespace maildirsync::daemon {

namespace {

constexpr int k_most_links_in_a_row = 8;

Failure refused(const std::string& path, const std::string& target, const char* why) {
  return failure(ErrorCode::special_file, path,
                 std::string("a symbolic link that ") + why + " (" + os::printable(target) + ") is not made");
}

/// Where a target that stays inside leads, below the account.
std::string destination_of(std::string directory, std::string_view target) {
  for (std::size_t start = 0; start <= target.size();) {
    const std::size_t end = std::min(target.find('/', start), target.size());
    const std::string_view component = target.substr(start, end - start);
    if (component == "..") {
      directory = os::above(directory);
    } else if (!component.empty() && component != ".") {
      directory = os::join(directory, component);
    }
    start = end + 1;
  }
  return directory;
}

std::optional<std::string> target_of(const os::Directory& directory, const std::string& name) {
  std::array<char, 4097> buffer{};
  const ssize_t size = ::readlinkat(directory.fd(), name.c_str(), buffer.data(), buffer.size());
  if (size < 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

/// Whether a path, which cannot be opened, holds a symbolic link as far as it exists.
bool has_link(const os::Directory& account, const std::string& path) {
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const auto [above, name] = os::split_last(path.substr(0, end));
    const auto directory = account.open_directory(above);
    const auto status = directory ? directory->status(name) : Result<struct stat>(Failure(directory.error()));
    if (!status) return false;
    if (S_ISLNK(status->st_mode)) return true;
  }
  return false;
}

Result<> judge(const os::Directory& account, const std::string& path, const std::string& target, int links_before) {
  const std::string directory = os::above(path);
  if (!maildir::link_stays_inside(directory, target)) return refused(path, target, "leaves the account");
  const std::string destination = destination_of(directory, target);
  if (destination.empty()) return {};
  const auto [parent, name] = os::split_last(destination);
  const auto opened = account.open_directory(parent);
  if (!opened) {
    if (has_link(account, parent)) return refused(path, target, "leads through another link");
    return {};  // not there, or no directory: it leads nowhere yet
  }
  const auto there = look(*opened, name);
  if (!there || !*there || S_ISREG((*there)->st_mode) || S_ISDIR((*there)->st_mode)) return {};
  if (!S_ISLNK((*there)->st_mode)) return refused(path, target, "leads to a socket, device or fifo");
  const auto next = target_of(*opened, name);
  if (!next) return {};
  if (links_before == k_most_links_in_a_row) return refused(path, target, "leads through too many others");
  if (!judge(account, destination, *next, links_before + 1)) {
    return refused(path, target, "leads to another link, which leaves the account");
  }
  return {};
}

bool is_kind(const os::Directory& directory, const os::DirectoryEntry& entry, unsigned char type, mode_t kind) {
  if (entry.type != DT_UNKNOWN) return entry.type == type;
  const auto status = directory.status(entry.name);
  return status && (status->st_mode & S_IFMT) == kind;
}

Result<> judge_all(const os::Directory& directory, const std::string& to) {
  MAILDIRSYNC_ASSIGN(const auto entries, directory.list());
  for (const auto& entry : entries) {
    const std::string path = os::join(to, entry.name);
    if (is_kind(directory, entry, DT_LNK, S_IFLNK)) {
      const auto target = target_of(directory, entry.name);
      if (target && !maildir::link_stays_inside(to, *target)) {
        return refused(path, *target, "would leave the account from there, and comes with its folder,");
      }
    } else if (is_kind(directory, entry, DT_DIR, S_IFDIR)) {
      MAILDIRSYNC_ASSIGN(const auto below, directory.open_directory(entry.name));
      MAILDIRSYNC_TRY(judge_all(below, path));
    }
  }
  return {};
}

}  // namespace

Result<> judge_link(const os::Directory& account, const std::string& path, const std::string& target) {
  return judge(account, path, target, 0);
}

Result<> judge_links_below(const os::Directory& account, const std::string& from, const std::string& to) {
  // Of the same parent, all that goes up arrives where it did.
  if (os::above(from) == os::above(to)) return {};
  MAILDIRSYNC_ASSIGN(const auto folder, account.open_directory(from));
  return judge_all(folder, to);
}

}  // namespace maildirsync::daemon
