#include "daemon/apply/trash_walk.h"

#include <algorithm>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/maildir/name.h"
#include "common/os/path.h"
#include "common/service/log.h"
#include "daemon/apply/account.h"

namespace maildirsync::daemon {

namespace {

constexpr int k_deepest = 128;
constexpr std::size_t k_longest_note = 64 * 1024;

bool is_directory(const os::Directory& parent, const os::DirectoryEntry& entry) {
  if (entry.type != DT_UNKNOWN) return entry.type == DT_DIR;
  const auto status = parent.status(entry.name);
  return status && S_ISDIR(status->st_mode);
}

std::string value_of(const std::string& text, const std::string& key) {
  std::size_t at = text.starts_with(key + ' ') ? 0 : text.find('\n' + key + ' ');
  if (at == std::string::npos) return "";
  at = text.find(' ', at) + 1;
  return text.substr(at, text.find('\n', at) - at);
}

class AccountsInTrash {
 public:
  explicit AccountsInTrash(const std::function<bool(const TrashedAccount&)>& is_wanted) : is_wanted_(is_wanted) {}

  void date(const os::Directory& trash, const std::string& name) {
    date_ = name;
    if (const auto directory = trash.open_directory(name)) level(*directory, "", 0);
  }

  std::vector<TrashedAccount> take() { return std::move(found_); }

 private:
  void level(const os::Directory& directory, const std::string& path, int depth) {
    const auto note = directory.open_for_reading(std::string(k_trash_account));
    if (note && !path.empty()) {
      TrashedAccount account{.date = date_, .path = path};
      if (const auto text = os::read_all(note->get(), k_longest_note, path)) {
        account.label = {value_of(*text, "name"), value_of(*text, "root"), value_of(*text, "peer")};
      }
      if (!is_wanted_(account)) return;
      count(directory, account, false, 0);
      if (account.messages + account.files > 0 || has_folders(directory)) found_.push_back(std::move(account));
      return;
    }
    if (depth > k_deepest) return;
    const auto names = directory.list();
    if (!names) return;
    for (const auto& entry : *names) {
      if (!is_directory(directory, entry)) continue;
      if (const auto below = directory.open_directory(entry.name)) level(*below, os::join(path, entry.name), depth + 1);
    }
  }

  static bool has_folders(const os::Directory& directory) {
    const auto names = directory.list();
    return names && std::any_of(names->begin(), names->end(),
                                [&](const os::DirectoryEntry& entry) { return is_directory(directory, entry); });
  }

  static void count(const os::Directory& directory, TrashedAccount& account, bool is_area, int depth) {
    const auto names = directory.list();
    if (!names || depth > k_deepest) return;
    for (const auto& entry : *names) {
      if (is_directory(directory, entry)) {
        if (const auto below = directory.open_directory(entry.name))
          count(*below, account, entry.name == "cur" || entry.name == "new", depth + 1);
      } else if (!is_trash_note(entry.name)) {
        const auto status = directory.status(entry.name);
        account.bytes += status ? static_cast<std::uint64_t>(status->st_size) : 0;
        ++(is_area ? account.messages : account.files);
      }
    }
  }

  const std::function<bool(const TrashedAccount&)>& is_wanted_;
  std::string date_;
  std::vector<TrashedAccount> found_;
};

/// Of the trash; the oldest first.
std::vector<std::string> dates_in(const os::Directory& trash) {
  std::vector<std::string> dates;
  if (const auto names = trash.list()) {
    for (const auto& entry : *names) {
      if (day_of_trash(entry.name) && is_directory(trash, entry)) dates.push_back(entry.name);
    }
  }
  std::sort(dates.begin(), dates.end());
  return dates;
}

void add_up(const os::Directory& directory, TrashUse& use, const std::atomic<bool>& stop, int depth) {
  const auto names = directory.list();
  if (!names || depth > k_deepest) return;
  for (const auto& entry : *names) {
    if (stop) return;
    if (is_directory(directory, entry)) {
      if (const auto below = directory.open_directory(entry.name)) add_up(*below, use, stop, depth + 1);
    } else if (const auto status = directory.status(entry.name)) {
      use.files += is_trash_note(entry.name) ? 0 : 1;
      use.bytes += static_cast<std::uint64_t>(status->st_blocks) * 512;
    }
  }
}

void remove_all(const os::Directory& directory, TrashUse& use, const std::atomic<bool>& stop, int depth) {
  const auto names = directory.list();
  if (!names || depth > k_deepest) return;
  for (const auto& entry : *names) {
    if (stop) return;
    if (is_directory(directory, entry)) {
      if (const auto below = directory.open_directory(entry.name)) remove_all(*below, use, stop, depth + 1);
      ::unlinkat(directory.fd(), entry.name.c_str(), AT_REMOVEDIR);
    } else if (::unlinkat(directory.fd(), entry.name.c_str(), 0) == 0 && !is_trash_note(entry.name)) {
      ++use.expired;
    }
  }
}

/// Whether the directory holds nothing but notes, and can go.
bool tidy(const os::Directory& directory, int depth) {
  const auto names = directory.list();
  if (!names || depth > k_deepest) return false;
  bool is_empty = true;
  for (const auto& entry : *names) {
    if (!is_directory(directory, entry)) {
      is_empty &= is_trash_note(entry.name);
      continue;
    }
    const auto below = directory.open_directory(entry.name);
    const bool goes =
        below && tidy(*below, depth + 1) && ::unlinkat(directory.fd(), entry.name.c_str(), AT_REMOVEDIR) == 0;
    is_empty &= goes;
  }
  if (!is_empty) return false;
  for (const auto& entry : *names)
    ::unlinkat(directory.fd(), entry.name.c_str(), 0);
  return true;
}

}  // namespace

bool is_trash_note(std::string_view name) {
  return name.starts_with(maildir::k_aside_prefix);
}

Result<std::vector<TrashedAccount>> accounts_in_trash(const os::Directory& root,
                                                      const std::function<bool(const TrashedAccount&)>& is_wanted) {
  const auto trash = open_trash(root);
  if (!trash) {
    if (trash.error().code == ErrorCode::vanished) return std::vector<TrashedAccount>();
    return Failure(trash.error());
  }
  AccountsInTrash accounts(is_wanted);
  auto dates = dates_in(*trash);
  std::reverse(dates.begin(), dates.end());
  for (const auto& date : dates)
    accounts.date(*trash, date);
  return accounts.take();
}

TrashUse tend_trash(const os::Directory& root, unsigned days, const std::atomic<bool>& stop) {
  TrashUse use;
  const auto trash = open_trash(root);
  if (!trash) return use;
  for (const auto& date : dates_in(*trash)) {
    if (stop) return use;
    const auto directory = trash->open_directory(date);
    if (!directory) continue;
    // What came on the last second of its day must stay for whole days, too.
    const bool is_over = today() - *day_of_trash(date) > static_cast<std::int64_t>(days);
    if (is_over) {
      remove_all(*directory, use, stop, 0);
      if (::unlinkat(trash->fd(), date.c_str(), AT_REMOVEDIR) == 0) continue;
    }
    if (use.oldest.empty()) use.oldest = date;
    add_up(*directory, use, stop, 0);
  }
  return use;
}

void tidy_trash(const os::Directory& root, const std::string& date, const std::string& account) {
  const auto trash = open_trash(root);
  if (!trash) return;
  if (const auto directory = trash->open_directory(os::join(date, account)); !directory || !tidy(*directory, 0)) return;
  // Upwards, for as long as nothing but notes is left.
  for (std::string path = os::join(date, account); !path.empty();) {
    const auto [above, name] = os::split_last(path);
    const auto parent = trash->open_directory(above);
    if (!parent || ::unlinkat(parent->fd(), name.c_str(), AT_REMOVEDIR) != 0) return;
    path = above;
    const auto left = parent->list();
    if (path.empty() || !left) return;
    const bool only_notes = std::all_of(left->begin(), left->end(), [](const os::DirectoryEntry& entry) {
      return entry.type != DT_DIR && is_trash_note(entry.name);
    });
    if (!only_notes) return;
    for (const auto& entry : *left)
      ::unlinkat(parent->fd(), entry.name.c_str(), 0);
  }
}

}  // namespace maildirsync::daemon
