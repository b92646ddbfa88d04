#include "agent/scan/discovery.h"

#include <algorithm>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/scan/foreign_format.h"
#include "common/maildir/name.h"
#include "common/maildir/own_names.h"
#include "common/os/explained.h"
#include "common/os/file_system.h"
#include "common/os/mount_point.h"

namespace maildirsync::agent {

namespace {

constexpr int k_deepest = 64;
constexpr std::size_t k_most_left_out = 1000;  // named; the rest is counted

class Walk {
 public:
  Walk(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout, Watcher& watcher,
       Search search)
      : root_(root), index_(root_index), layout_(layout), watcher_(watcher), search_(search) {}

  Discovery run() {
    auto directory = os::Directory::open_root(root_.path);
    if (!directory) {
      found_.error = directory.error();
      found_.whole = false;
      return std::move(found_);
    }
    found_.directory = std::make_shared<const os::Directory>(std::move(*directory));
    if (const auto status = found_.directory->status("")) found_.identity = {status->st_dev, status->st_ino};
    std::error_code ignored;
    found_.real_path =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(found_.directory->fd()), ignored).string();
    found_.file_system = os::file_system_of(found_.directory->fd());
    found_.markers = meet_markers_above(found_.real_path);
    level(*found_.directory, "", 0);
    if (unnamed_ > 0) {
      found_.left_out.push_back(
          {ErrorCode::mail_left_out, "",
           std::to_string(unnamed_) + " more directories below the root hold mail of no account"});
    }
    return std::move(found_);
  }

 private:
  void level(const os::Directory& directory, const std::string& path, std::size_t depth) {
    if (const auto watched = watcher_.watch(directory, {Part::root, index_, path}); !watched) {
      const Error& error = watched.error();
      found_.problems.push_back({error.code, error.path, error.message()});
    }
    const auto mount = os::mount_of(directory.fd());
    const auto entries = directory.list();
    if (!entries && depth == 0) found_.error = entries.error();
    if (!entries) return unreadable(entries.error());
    meet(directory, path);
    const bool is_maildir = is_maildir_above(directory, *entries, depth);
    if (is_maildir) hold_mail(path);
    for (const auto& entry : *entries) {
      const std::string below = os::join(path, entry.name);
      const unsigned char kind = kind_of(directory, entry);
      if (!layout_.matches(depth, entry.name)) {
        if (kind == DT_DIR && !is_copy(entry.name)) beside(directory, entry.name, below, is_maildir);
      } else if (kind == DT_LNK) {
        link(directory, entry.name, below);
      } else if (kind == DT_DIR && depth + 1 == layout_.depth()) {
        account(directory, entry.name, below);
      } else if (kind == DT_REG && depth + 1 == layout_.depth()) {
        file(directory, entry.name, below);
      } else if (kind == DT_DIR) {
        const auto next = directory.open_directory(entry.name);
        if (next) {
          if (const auto mounted = os::mounted_at(next->fd(), mount); mounted != 0)
            found_.mounts.emplace(below, mounted);
          level(*next, below, depth + 1);
        } else if (next.error().code != ErrorCode::vanished) {
          unreadable(next.error());
        }
      }
    }
  }

  /// What a destination of ours keeps of removed mail, and what shows the file system as it once was.
  static bool is_copy(const std::string& name) {
    return name == maildir::k_trash || name == "lost+found" || name == ".snapshots" || name == ".snapshot" ||
           name == ".zfs";
  }

  static bool is_area(const std::string& name) { return name == "cur" || name == "new" || name == "tmp"; }

  /// A Maildir where only directories on the way to accounts should be: cPanel's ~/mail, an account that lies a level
  /// too high. Where a user or a domain may be called "cur", that name alone does not make one.
  bool is_maildir_above(const os::Directory& directory, const std::vector<os::DirectoryEntry>& entries,
                        std::size_t depth) const {
    const auto has = [&](std::string_view name) {
      return std::any_of(entries.begin(), entries.end(), [&](const os::DirectoryEntry& entry) {
        return entry.name == name && kind_of(directory, entry) == DT_DIR;
      });
    };
    return has("cur") && (!layout_.matches(depth, "cur") || has("new") || has("tmp"));
  }

  static unsigned char kind_of(const os::Directory& directory, const os::DirectoryEntry& entry) {
    if (entry.type != DT_UNKNOWN) return entry.type;
    const auto status = directory.status(entry.name);
    if (!status) return status.error().code == ErrorCode::vanished ? DT_UNKNOWN : DT_DIR;  // to be opened: that tells
    return S_ISDIR(status->st_mode) ? DT_DIR : S_ISLNK(status->st_mode) ? DT_LNK : DT_REG;
  }

  void meet(const os::Directory& directory, const std::string& path) {
    const auto where = path.empty() ? MetMarker::Where::here : MetMarker::Where::below;
    if (auto met = meet_marker(directory, where, os::join(found_.real_path, path)))
      found_.markers.push_back(std::move(*met));
  }

  void meet_in(const os::Directory& directory, const std::string& name, const std::string& path) {
    if (const auto opened = directory.open_directory(name)) meet(*opened, path);
  }

  void account(const os::Directory& directory, const std::string& below, const std::string& path) {
    if (search_ != Search::beside) meet_in(directory, below, path);
    const auto name = layout_.account_name(path);
    if (name && config::takes(root_, *name)) found_.accounts.push_back({path, *name});
  }

  /// In the place of an account: its mail, in another format.
  void file(const os::Directory& directory, const std::string& name, const std::string& path) {
    const auto account = layout_.account_name(path);
    if (!account || !maildir::is_included(root_.include, root_.exclude, *account) || !is_mbox(directory, name)) return;
    leave_out({ErrorCode::mail_left_out, path,
               "an mbox file where an account would be, and not a Maildir: its mail is not mirrored. Let Dovecot bring "
               "it, on the new server: doveadm backup -R -u USER remote:vmail@OLD-SERVER; then take the account out "
               "(`exclude` in agent.toml)"});
  }

  /// In the place of an account or of a directory on the way to one.
  void link(const os::Directory& directory, const std::string& name, const std::string& path) {
    if (const auto account = layout_.account_name(path); account && !config::takes(root_, *account)) {
      return;
    }
    if (leads_to(directory, name) == Target::directory) {
      leave_out({ErrorCode::mail_left_out, path,
                 "a symbolic link to a directory where an account would be; it is not followed. Put the directory "
                 "itself in its place, or make a [[root]] of where it leads"});
    } else {
      found_.left_out.push_back(
          {ErrorCode::special_file, path, "a symbolic link where an account would be; it leads to no directory"});
    }
  }

  static bool has_cur(const os::Directory& directory, const std::string& name) {
    struct stat status {};
    return ::fstatat(directory.fd(), os::join(name, "cur").c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
  }

  /// What the pattern does not match, and what may lie in it.
  void beside(const os::Directory& directory, const std::string& name, const std::string& path, bool is_in_maildir) {
    if (is_in_maildir && is_area(name)) return;
    const bool is_maildir = has_cur(directory, name);
    if (is_maildir && !is_in_maildir) hold_mail(path);
    if (search_ == Search::everywhere) {
      deeper(directory, name, path, is_in_maildir || is_maildir, 0);
    } else if (search_ == Search::markers) {
      meet_in(directory, name, path);
    }
  }

  void deeper(const os::Directory& above, const std::string& name, const std::string& path, bool is_in_maildir,
              int depth) {
    const auto directory = above.open_directory(name);
    const auto entries = !directory          ? Result<std::vector<os::DirectoryEntry>>(Failure(directory.error()))
                         : depth < k_deepest ? directory->list()
                                             : std::vector<os::DirectoryEntry>();
    if (!entries) {
      if (entries.error().code == ErrorCode::vanished) return;
      return leave_out({ErrorCode::mail_left_out, path,
                        "it cannot be looked into, so that nobody knows whether mail lies there: " +
                            entries.error().message() + ". Let the agent read it"});
    }
    meet(*directory, path);
    for (const auto& entry : *entries) {
      if (kind_of(*directory, entry) != DT_DIR || is_copy(entry.name)) continue;
      if (is_in_maildir && is_area(entry.name)) continue;
      const std::string below = os::join(path, entry.name);
      const bool is_maildir = has_cur(*directory, entry.name);
      // The folders of a Maildir that is named are part of it.
      if (is_maildir && !is_in_maildir) hold_mail(below);
      deeper(*directory, entry.name, below, is_in_maildir || is_maildir, depth + 1);
    }
  }

  void hold_mail(const std::string& path) {
    leave_out({ErrorCode::mail_left_out, path,
               "a directory with cur/ in it that is no account of the form " + root_.accounts +
                   ": its mail is not mirrored. Put `accounts` right, make a [[root]] of it, or move it away"});
  }

  void leave_out(ScanProblem problem) {
    if (found_.left_out.size() < k_most_left_out) {
      found_.left_out.push_back(std::move(problem));
    } else {
      ++unnamed_;
    }
  }

  void unreadable(const Error& error) {
    found_.whole = false;
    const Error told = os::explained(error, os::Side::source);
    found_.problems.push_back({told.code, error.path, told.message()});
  }

  const config::AgentRoot& root_;
  std::uint32_t index_;
  const maildir::Layout& layout_;
  Watcher& watcher_;
  Search search_;
  Discovery found_;
  std::size_t unnamed_ = 0;
};

}  // namespace

Discovery discover(const config::AgentRoot& root, std::uint32_t root_index, const maildir::Layout& layout,
                   Watcher& watcher, Search search) {
  return Walk(root, root_index, layout, watcher, search).run();
}

}  // namespace maildirsync::agent
