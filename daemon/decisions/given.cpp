#include "daemon/decisions/given.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec/digest.h"
#include "common/maildir/name.h"
#include "common/os/names.h"
#include "common/os/own_file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

const std::string k_name = ".maildirsync.given";
constexpr std::string_view k_head = "maildirsyncd keeps here which mail the users of drained roots have had 1\n";
constexpr std::size_t k_longest = std::size_t{1} << 32U;
constexpr std::size_t k_record = sizeof(std::uint64_t);

std::uint64_t first_bytes(const sync::Digest& digest) {
  std::uint64_t number = 0;
  std::memcpy(&number, digest.bytes.data(), sizeof number);
  return number;
}

std::uint64_t key_of(std::string_view account, std::string_view base) {
  std::string text(account);
  text += '\0';
  text += base;
  return first_bytes(codec::digest(text));
}

/// As a message that no account has: its path is not one.
std::uint64_t key_of_stock(const std::string& drain) {
  return key_of("/stock", drain);
}

void add_records(std::string& text, const std::vector<std::uint64_t>& keys) {
  const std::size_t before = text.size();
  text.resize(before + keys.size() * k_record);
  std::memcpy(text.data() + before, keys.data(), keys.size() * k_record);
}

/// The topmost directories with cur/ or new/ below one: accounts, whoever brought them.
void find_maildirs(const os::Directory& directory, const std::string& path, int depth, std::set<std::string>& found) {
  constexpr int k_deepest = 16;
  if (depth > k_deepest || found.contains(path)) return;
  std::vector<std::string> below;
  (void)os::for_each_name(directory, [&](const char* name, std::uint64_t, unsigned char type) {
    const bool is_directory = type == DT_DIR || type == DT_UNKNOWN;
    if (is_directory && !std::string_view(name).starts_with(maildir::k_aside_prefix)) below.emplace_back(name);
  });
  const auto has = [&](const char* name) { return std::find(below.begin(), below.end(), name) != below.end(); };
  if (!path.empty() && (has("cur") || has("new"))) {
    found.insert(path);
    return;
  }
  for (const auto& name : below) {
    if (const auto next = directory.open_directory(name)) {
      find_maildirs(*next, os::join(path, name), depth + 1, found);
    }
  }
}

/// The base names in cur/ and new/, wherever below the directory.
class Stock {
 public:
  Stock(std::string_view account, const std::atomic<bool>& stops) : account_(account), stops_(stops) {}

  Result<> walk(const os::Directory& directory, bool has_messages) {
    std::vector<std::string> below;
    MAILDIRSYNC_TRY(os::for_each_name(directory, [&](const char* name, std::uint64_t, unsigned char type) {
      const bool may_be_directory = type == DT_DIR || type == DT_UNKNOWN;
      if (may_be_directory && !std::string_view(name).starts_with(maildir::k_aside_prefix)) below.emplace_back(name);
      if (has_messages && type != DT_DIR) keys_.push_back(key_of(account_, maildir::base_of(name)));
    }));
    for (const auto& name : below) {
      if (stops_) return failure(ErrorCode::cancelled, "", "the receiver is being stopped");
      const auto next = directory.open_directory(name);
      if (!next) continue;  // no directory, or gone meanwhile
      MAILDIRSYNC_TRY(walk(*next, name == "cur" || name == "new"));
    }
    return {};
  }

  const std::vector<std::uint64_t>& keys() const { return keys_; }

 private:
  std::string_view account_;
  const std::atomic<bool>& stops_;
  std::vector<std::uint64_t> keys_;
};

/// Half a record would shift what comes after it. A file that cannot be made shorter goes: the next one is written
/// whole.
void cut(const os::Directory& root, const os::Fd& fd, off_t size) {
  if (::ftruncate(fd.get(), size) != 0) (void)::unlinkat(root.fd(), k_name.c_str(), 0);
}

}  // namespace

bool Given::lies_in(const std::string& place) {
  struct stat status {};
  return ::lstat(os::join(place, k_name).c_str(), &status) == 0;
}

bool Given::contains(std::uint64_t key) const {
  return fresh_.contains(key) || std::binary_search(sorted_.begin(), sorted_.end(), key);
}

void Given::insert(std::uint64_t key) {
  constexpr std::size_t k_few = 4096;
  fresh_.insert(key);
  if (fresh_.size() < std::max(k_few, sorted_.size() / 8)) return;
  const auto middle = static_cast<std::ptrdiff_t>(sorted_.size());
  sorted_.insert(sorted_.end(), fresh_.begin(), fresh_.end());
  std::sort(sorted_.begin() + middle, sorted_.end());
  std::inplace_merge(sorted_.begin(), sorted_.begin() + middle, sorted_.end());
  fresh_.clear();
}

/// What somebody else put there, or what is not such a file, goes; then the agent's own record is all that there is.
/// What cannot be read just now is tried again.
void Given::read(const os::Directory& root) {
  if (is_read_) return;
  const auto fd = os::open_own(root, k_name, O_RDWR);
  const bool is_none = !fd && fd.error().code == ErrorCode::vanished;
  auto text = fd ? os::read_all(fd->get(), k_longest, k_name) : Result<std::string>(Failure(fd.error()));
  const bool is_damaged = text && !text->starts_with(k_head);
  is_read_ = text || is_none || text.error().code == ErrorCode::permission;
  if (is_none) return;
  if (!text || is_damaged) {
    service::log_warning("given-unreadable path={} detail=\"{}\"", os::join(root.path(), k_name),
                         is_damaged ? "the file is damaged" : text.error().message());
    if (is_read_) (void)::unlinkat(root.fd(), k_name.c_str(), 0);
    return;
  }
  const std::size_t records = (text->size() - k_head.size()) / k_record;
  // Of the last one a power cut may have left a part.
  const std::size_t whole = k_head.size() + records * k_record;
  if (whole != text->size()) cut(root, *fd, static_cast<off_t>(whole));
  const std::size_t known = sorted_.size();
  sorted_.resize(known + records);
  std::memcpy(sorted_.data() + known, text->data() + k_head.size(), records * k_record);
  std::sort(sorted_.begin(), sorted_.end());
}

bool Given::has(const os::Directory& root, std::string_view account, std::string_view base) {
  const std::uint64_t key = key_of(account, base);
  const std::lock_guard lock(mutex_);
  read(root);
  return contains(key);
}

void Given::note(const os::Directory& root, std::string_view account, std::string_view base) {
  const std::uint64_t key = key_of(account, base);
  const std::lock_guard lock(mutex_);
  read(root);
  note_key(key);
}

void Given::note_key(std::uint64_t key) {
  if (contains(key)) return;
  insert(key);
  unkept_.push_back(key);
}

void Given::forget() {
  const std::lock_guard lock(mutex_);
  is_read_ = false;
  sorted_.clear();
  fresh_.clear();
  unkept_.clear();
}

Result<> Given::keep(const os::Directory& root) {
  const std::lock_guard lock(mutex_);
  return append(root);
}

Result<> Given::append(const os::Directory& root) {
  if (unkept_.empty()) return {};
  const std::string path = os::join(root.path(), k_name);
  auto fd = os::open_own(root, k_name, O_WRONLY | O_APPEND);
  if (!fd) fd = os::create_own(root, k_name, O_WRONLY | O_APPEND);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return os_failure(path, "cannot stat", errno);
  const bool is_new = status.st_size == 0;
  std::string text;
  if (is_new) {  // or taken away while it was in use
    text = k_head;
    add_records(text, sorted_);
    add_records(text, {fresh_.begin(), fresh_.end()});
  } else {
    add_records(text, unkept_);
  }
  auto written = os::write_all(fd->get(), text, path);
  if (written && ::fdatasync(fd->get()) != 0) written = os_failure(path, "cannot sync", errno);
  if (!written) {
    cut(root, *fd, status.st_size);
    return written;
  }
  if (is_new && ::fsync(root.fd()) != 0) return os_failure(root.path(), "cannot sync", errno);
  unkept_.clear();
  return {};
}

bool Given::took_stock(const os::Directory& root, const std::string& drain) {
  const std::lock_guard lock(mutex_);
  read(root);
  return contains(key_of_stock(drain));
}

Result<bool> Given::take_stock(const os::Directory& root, const std::string& drain,
                               const std::vector<std::string>& accounts, const std::atomic<bool>& stops) {
  if (is_taking_stock_.exchange(true)) return false;
  auto noted = note_all(root, accounts, stops);
  if (noted) {
    const std::lock_guard lock(mutex_);
    noted = append(root);
    if (noted) note_key(key_of_stock(drain));  // after all that it stands for
    if (noted) noted = append(root);
  }
  is_taking_stock_ = false;
  if (!noted) return Failure(noted.error());
  return true;
}

Result<> Given::note_all(const os::Directory& root, const std::vector<std::string>& accounts,
                         const std::atomic<bool>& stops) {
  std::set<std::string> all(accounts.begin(), accounts.end());
  find_maildirs(root, "", 0, all);
  for (const auto& account : all)
    MAILDIRSYNC_TRY(note_one(root, account, stops));
  return {};
}

Result<> Given::note_one(const os::Directory& root, const std::string& account, const std::atomic<bool>& stops) {
  const auto directory = root.open_directory(account);
  if (!directory) return {};  // gone
  Stock stock(account, stops);
  MAILDIRSYNC_TRY(stock.walk(*directory, false));
  const std::lock_guard lock(mutex_);
  read(root);
  for (const std::uint64_t key : stock.keys())
    note_key(key);
  return {};
}

Result<> Given::note_account(const os::Directory& root, const std::string& account) {
  const std::atomic<bool> stops = false;
  MAILDIRSYNC_TRY(note_one(root, account, stops));
  return keep(root);
}

}  // namespace maildirsync::daemon
