#include "daemon/apply/trash.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/own_file.h"
#include "common/os/path.h"
#include "daemon/apply/account.h"
#include "daemon/apply/content.h"
#include "daemon/apply/copy.h"
#include "daemon/apply/tree.h"

namespace maildirsync::daemon {

namespace {

constexpr std::size_t k_kept_open = 64;
constexpr unsigned k_most_numbers = 10'000;
constexpr std::string_view k_uidlist = "dovecot-uidlist";

std::string date_of(std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

bool is_area(std::string_view name) {
  return name == "cur" || name == "new" || name == "tmp";
}

/// The first component of a path, which loses it.
std::string take_component(std::string& path) {
  const auto slash = std::min(path.find('/'), path.size());
  std::string name = path.substr(0, slash);
  path.erase(0, std::min(slash + 1, path.size()));
  return name;
}

/// A directory that is ours alone, whatever the one above gives to new ones.
Result<DirectoryPtr> make_private(const DirectoryPtr& parent, const std::string& name, os::SyncSet& sync) {
  const bool made = ::mkdirat(parent->fd(), name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    return os_failure(os::join(parent->path(), name), "cannot make the trash's directory", errno);
  }
  auto opened = parent->open_directory(name);
  if (!opened) {
    Error error = opened.error();
    error.detail = "the trash's directory cannot be opened; what lies there must be moved away";
    return Failure(error);
  }
  auto directory = std::make_shared<const os::Directory>(std::move(*opened));
  MAILDIRSYNC_ASSIGN(const auto status, directory->status(""));
  if (!os::is_own(status)) {
    return failure(ErrorCode::permission, directory->path(),
                   "the trash's directory belongs to user " + std::to_string(status.st_uid) +
                       ", who could take away what comes there; it must be moved away");
  }
  if ((status.st_mode & 07777) != 0700 && ::fchmod(directory->fd(), 0700) != 0) {
    return os_failure(directory->path(), "cannot set the mode of the trash's directory", errno);
  }
  if (made) sync.add(parent);
  sync.add(directory);
  return directory;
}

/// A small file; one that is there stays.
Result<> write_note(const DirectoryPtr& directory, std::string_view name, const std::string& text) {
  if (directory->status(std::string(name))) return {};
  MAILDIRSYNC_ASSIGN(auto note, create_file(directory));
  MAILDIRSYNC_TRY(note.write(text));
  const auto linked = name_file(note, *directory, std::string(name));
  return linked || linked.error().code == ErrorCode::exists ? Result<>{} : linked;
}

std::string shape_line(const char* what, const struct stat& status) {
  return fmt::format("{} {:04o} {} {}\n", what, static_cast<unsigned>(status.st_mode & 07777), status.st_uid,
                     status.st_gid);
}

/// What a directory and its areas are like, as restoring makes them again.
Result<> note_shape(const DirectoryPtr& place, const os::Directory& live) {
  MAILDIRSYNC_ASSIGN(const auto self, live.status(""));
  std::string text = shape_line("self", self);
  for (const char* area : {"cur", "new", "tmp"}) {
    const auto status = live.status(area);
    if (status && S_ISDIR(status->st_mode)) text += shape_line(area, *status);
  }
  return write_note(place, k_trash_shape, text);
}

bool is_same_version(const struct stat& left, const struct stat& right) {
  return left.st_size == right.st_size && os::nanoseconds(left.st_mtim) == os::nanoseconds(right.st_mtim);
}

/// The folder's uidlist as it is now, unless the last copy is that already.
Result<> keep_uidlist(const DirectoryPtr& place, const os::Directory& live) {
  const auto status = live.status(std::string(k_uidlist));
  if (!status || !S_ISREG(status->st_mode)) return {};
  unsigned number = 0;
  for (;; ++number) {
    const auto kept = place->status(fmt::format("{}{}", k_trash_uidlist, number + 1));
    if (!kept) break;
    if (is_same_version(*kept, *status)) return {};
  }
  auto copy = copy_of(live, std::string(k_uidlist), place);
  if (!copy) return copy.error().code == ErrorCode::vanished ? Result<>{} : Failure(copy.error());
  const auto linked = name_file(*copy, *place, fmt::format("{}{}", k_trash_uidlist, number + 1));
  return linked || linked.error().code == ErrorCode::exists ? Result<>{} : linked;
}

enum class Moved : std::uint8_t { done, taken };

Result<Moved> unlink_live(const os::Directory& live, const std::string& name) {
  if (::unlinkat(live.fd(), name.c_str(), 0) == 0 || errno == ENOENT) return Moved::done;
  return os_failure(os::join(live.path(), name), "cannot remove the file", errno);
}

/// Onto another file system, which knows no rename from here: the copy is on the disk before the file goes.
Result<Moved> move_by_copy(const os::Directory& live, const std::string& name, const struct stat& status,
                           const DirectoryPtr& place) {
  if (S_ISLNK(status.st_mode)) {
    std::array<char, 4097> target{};
    const ssize_t length = ::readlinkat(live.fd(), name.c_str(), target.data(), target.size() - 1);
    const bool made = length >= 0 && ::symlinkat(target.data(), place->fd(), name.c_str()) == 0;
    if (!made && errno == EEXIST) return Moved::taken;
    if (!made || ::fchownat(place->fd(), name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return os_failure(os::join(live.path(), name), "cannot copy the link into the trash", errno);
    }
  } else {
    auto copy = copy_of(live, name, place);
    if (!copy) return copy.error().code == ErrorCode::vanished ? Result<Moved>(Moved::done) : Failure(copy.error());
    if (const auto linked = name_file(*copy, *place, name); !linked) {
      if (linked.error().code != ErrorCode::exists) return Failure(linked.error());
      const auto there = place->status(name);  // by us, just before a crash?
      if (!there || !is_same_version(*there, status)) return Moved::taken;
    }
  }
  if (::syncfs(place->fd()) != 0) return os_failure(place->path(), "cannot sync to the disk", errno);
  return unlink_live(live, name);
}

Result<Moved> move(const os::Directory& live, const std::string& name, const DirectoryPtr& place) {
  if (::renameat2(live.fd(), name.c_str(), place->fd(), name.c_str(), RENAME_NOREPLACE) == 0) return Moved::done;
  int error_number = errno;
  if (error_number == EINVAL) {  // the file system knows no RENAME_NOREPLACE (NFS): a link never replaces
    if (::linkat(live.fd(), name.c_str(), place->fd(), name.c_str(), 0) == 0) return unlink_live(live, name);
    error_number = errno;
  }
  if (error_number == EEXIST) return Moved::taken;
  if (error_number != ENOENT && error_number != EXDEV) {
    return os_failure(os::join(live.path(), name), "cannot move the file into the trash", error_number);
  }
  const auto status = live.status(name);
  if (!status) return status.error().code == ErrorCode::vanished ? Result<Moved>(Moved::done) : Failure(status.error());
  if (error_number == EXDEV) return move_by_copy(live, name, *status, place);
  return os_failure(place->path(), "the trash's directory is gone", error_number);
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', '?');
  return text;
}

}  // namespace

Trash::Trash(std::shared_ptr<const os::Directory> root, std::string account, TrashLabel label)
    : root_(std::move(root)), account_(std::move(account)), label_(std::move(label)), date_(date_of(today())) {}

Result<> Trash::take(Tree& tree, const std::string& path, os::SyncSet& sync) {
  const auto [directory, name] = os::split_last(path);
  auto live = tree.directory(directory);
  if (!live) return live.error().code == ErrorCode::unexpected ? Result<>{} : Failure(live.error());
  MAILDIRSYNC_ASSIGN(auto there, look(**live, name));
  sync.add(*live);
  if (!there) return {};
  if (S_ISDIR(there->st_mode)) {
    return failure(ErrorCode::unexpected, path, "a directory has the name at the destination");
  }
  for (unsigned number = 0; number < k_most_numbers; ++number) {
    MAILDIRSYNC_ASSIGN(auto to, place(tree, number, directory, sync));
    const auto moved = move(**live, name, to);
    if (!moved) {
      places_.clear();  // somebody may have removed them
      return Failure(moved.error());
    }
    sync.add(to);
    if (*moved == Moved::done) return {};
  }
  return failure(ErrorCode::exists, path, "the trash has too many files of this name of one day");
}

Result<> Trash::note_folder(Tree& tree, const std::string& folder, os::SyncSet& sync) {
  const auto made = place(tree, 0, folder, sync);
  return made ? Result<>{} : Failure(made.error());
}

Result<DirectoryPtr> Trash::place(Tree& tree, unsigned number, const std::string& directory, os::SyncSet& sync) {
  const auto known = places_.find({number, directory});
  if (known != places_.end()) return known->second;
  auto made = make_place(tree, number, directory, sync);
  if (!made) return made;
  if (places_.size() >= k_kept_open) places_.clear();
  places_.emplace(std::pair(number, directory), *made);
  return made;
}

Result<DirectoryPtr> Trash::make_place(Tree& tree, unsigned number, const std::string& directory, os::SyncSet& sync) {
  auto place = make_private(root_, std::string(k_trash), sync);
  if (place) place = make_private(*place, number == 0 ? date_ : fmt::format("{}.{}", date_, number), sync);
  if (!place) return place;
  std::string rest = account_;
  for (std::string above; !rest.empty();) {
    above = os::join(above, take_component(rest));
    place = make_private(*place, os::split_last(above).second, sync);
    if (!place) return place;
    if (const auto live = root_->open_directory(above); live && !rest.empty()) {
      MAILDIRSYNC_TRY(note_shape(*place, *live));
    }
  }
  MAILDIRSYNC_TRY(label_account(*place));
  rest = directory;
  for (std::string folder;;) {
    if (const auto live = tree.directory(folder)) {
      MAILDIRSYNC_TRY(note_shape(*place, **live));
      const bool is_wanted = rest.empty() || is_area(rest);
      if (is_wanted) MAILDIRSYNC_TRY(keep_uidlist(*place, **live));
    }
    if (rest.empty()) return place;
    const std::string name = take_component(rest);
    place = make_private(*place, name, sync);
    if (!place || (rest.empty() && is_area(name))) return place;
    folder = os::join(folder, name);
  }
}

Result<> Trash::label_account(const DirectoryPtr& place) const {
  return write_note(place, k_trash_account,
                    fmt::format("name {}\nroot {}\npeer {}\n", one_line(label_.account), one_line(label_.root),
                                one_line(label_.peer)));
}

Result<os::Directory> open_trash(const os::Directory& root) {
  return root.open_directory(std::string(k_trash));
}

std::optional<std::int64_t> day_of_trash(std::string_view name) {
  const auto number = [](std::string_view text) -> std::optional<unsigned> {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  constexpr std::size_t k_date = 10;
  if (name.size() < k_date || name[4] != '-' || name[7] != '-') return std::nullopt;
  if (name.size() > k_date && (name[k_date] != '.' || !number(name.substr(k_date + 1)))) return std::nullopt;
  const auto year = number(name.substr(0, 4));
  const auto month = number(name.substr(5, 2));
  const auto day = number(name.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

std::int64_t today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()).time_since_epoch().count();
}

}  // namespace maildirsync::daemon
