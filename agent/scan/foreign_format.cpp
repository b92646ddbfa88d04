#include "agent/scan/foreign_format.h"

#include <array>
#include <cstddef>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/path.h"

namespace maildirsync::agent {

namespace {

constexpr std::string_view k_by_dovecot =
    "its mail is not mirrored. Let Dovecot bring it, on the new server: doveadm backup -R -u USER "
    "remote:vmail@OLD-SERVER; and take the account out of the mirror (`exclude` in agent.toml), or, if this is an old "
    "copy, move it away";

/// A dbox-Mails, however deep: each mailbox has one.
bool holds_dbox(const os::Directory& above, const std::string& name, int depth = 0) {
  const auto directory = above.open_directory(name);
  const auto entries =
      directory ? directory->list() : Result<std::vector<os::DirectoryEntry>>(Failure(directory.error()));
  if (!entries || depth >= k_max_depth) return false;
  for (const auto& entry : *entries) {
    if (!is_directory(*directory, entry)) continue;
    if (entry.name == "dbox-Mails" || holds_dbox(*directory, entry.name, depth + 1)) return true;
  }
  return false;
}

bool has_file(const os::Directory& above, const std::string& path) {
  struct stat status {};
  return ::fstatat(above.fd(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

bool is_mdbox_storage(const os::Directory& above, const std::string& name) {
  return has_file(above, os::join(name, "dovecot.map.index.log")) ||
         has_file(above, os::join(name, "dovecot.map.index")) || has_file(above, os::join(name, "m.1"));
}

}  // namespace

std::optional<ScanProblem> dbox_in(const os::Directory& above, const std::string& name, const std::string& path) {
  const bool is_dbox =
      name == "mailboxes" ? holds_dbox(above, name) : name == "storage" && is_mdbox_storage(above, name);
  if (!is_dbox) return std::nullopt;
  return ScanProblem{
      ErrorCode::mail_left_out, path,
      "mail in Dovecot's format dbox (sdbox or mdbox), and not in a Maildir: " + std::string(k_by_dovecot)};
}

bool is_mbox(const os::Directory& directory, const std::string& name) {
  constexpr std::string_view k_head = "From ";
  struct stat status {};
  const bool may_be = ::fstatat(directory.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) > k_head.size();
  if (!may_be) return false;
  const auto file = directory.open_for_reading(name);
  std::array<char, k_head.size()> head{};
  return file && ::pread(file->get(), head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()) &&
         std::string_view(head.data(), head.size()) == k_head;
}

std::optional<ScanProblem> mbox_in(const os::Directory& account) {
  constexpr std::size_t k_most = 200;  // files that are looked into
  std::size_t looked_at = 0;
  for (const char* place : {"", "mail", "Mail"}) {
    const auto directory = account.open_directory(place);
    const auto entries =
        directory ? directory->list() : Result<std::vector<os::DirectoryEntry>>(Failure(directory.error()));
    if (!entries) continue;
    for (const auto& entry : *entries) {
      if (++looked_at > k_most) return std::nullopt;
      if (is_directory(*directory, entry) || !is_mbox(*directory, entry.name)) continue;
      return ScanProblem{
          ErrorCode::mail_left_out, os::join(place, entry.name),
          "an mbox file, and the account has no Maildir: what arrives of it is a file, and no mailbox; " +
              std::string(k_by_dovecot)};
    }
  }
  return std::nullopt;
}

}  // namespace maildirsync::agent
