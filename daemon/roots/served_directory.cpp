#include "daemon/roots/served_directory.h"

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/os/explained.h"
#include "common/os/file_system.h"
#include "common/os/mount_point.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

/// So long the marker keeps its number while mail is written: a snapshot of that time looks no older than it.
constexpr auto k_raise_after = std::chrono::minutes(10);
/// A call that takes longer hangs. A disk that is only busy takes a second or two for the few names of a look.
constexpr auto k_patience = std::chrono::seconds(10);

std::map<std::string, std::uint64_t> mounts_in(const os::Directory& directory) {
  std::map<std::string, std::uint64_t> mounts;
  for (const auto& path : os::mount_points_below(directory.fd())) {
    if (const auto mounted = directory.open_directory(path)) mounts.emplace(path, os::mounted_at(mounted->fd()));
  }
  return mounts;
}

/// All that an agent may have heard of: that of the directory, and that of the one which it was since.
std::string ids_before(const Marker& found, const std::optional<KnownDirectory>& known) {
  constexpr std::size_t k_most = 32 * (os::k_marker_digits + 1);  // bytes
  std::string ids = found.id;
  const auto add = [&](const std::string& more) {
    if (!more.empty()) ids += ' ' + more;
  };
  add(found.former);
  if (known && known->marker.id != found.id) add(known->marker.id);
  if (known && known->marker.former != found.former) add(known->marker.former);
  if (ids.size() > k_most) ids.resize(ids.rfind(' ', k_most));
  return ids;
}

Result<> check_writable(const os::Directory& directory, const std::string& path) {
  struct statvfs status {};
  if (::fstatvfs(directory.fd(), &status) != 0 || (status.f_flag & ST_RDONLY) == 0) return {};
  return failure(ErrorCode::permission, path,
                 "the destination's directory " + path +
                     " is read-only for maildirsyncd; name it in ReadWritePaths= of "
                     "/etc/systemd/system/maildirsyncd.service.d/paths.conf, or mount its file system read-write, and "
                     "restart maildirsyncd");
}

}  // namespace

Error ServedDirectory::gone(const std::string& reason) const {
  return {ErrorCode::destination_gone, path_,
          "the destination's directory " + path_ + " " + reason +
              "; nothing is written to it, and what changes at the source waits. Mount what belongs there, and it goes "
              "on by "
              "itself; if it is right as it is: maildirsync release",
          0};
}

std::optional<KnownDirectory> ServedDirectory::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::optional<ServedDirectory::MarkerFile> ServedDirectory::marker_file() const {
  const std::lock_guard lock(mutex_);
  if (!seen_) return std::nullopt;
  return MarkerFile{seen_->marker, seen_->marker_changed};
}

ServedDirectory::Call::Call(ServedDirectory& directory) : directory_(directory) {
  const std::lock_guard lock(directory_.calls_mutex_);
  begun_ = directory_.calls_.insert(Clock::now());
}

ServedDirectory::Call::~Call() {
  const std::lock_guard lock(directory_.calls_mutex_);
  directory_.calls_.erase(begun_);
}

bool ServedDirectory::answers() const {
  const std::lock_guard lock(calls_mutex_);
  return calls_.empty() || Clock::now() - *calls_.begin() < k_patience;
}

std::optional<Error> ServedDirectory::silence() const {
  if (answers()) return std::nullopt;
  return Error{ErrorCode::timed_out, path_,
               "the destination's directory " + path_ +
                   " does not answer: a disk or a mount of the network hangs. Nothing is written to it, and what "
                   "changes at the source "
                   "waits; all goes on by itself once it answers",
               0};
}

std::optional<Error> ServedDirectory::trouble() const {
  if (auto silent = silence()) return silent;
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void ServedDirectory::set_trouble(std::optional<Error> trouble) {
  bool comes = false, passes = false;
  {
    const std::lock_guard lock(mutex_);
    comes = trouble && (!trouble_ || trouble_->detail != trouble->detail);
    passes = !trouble && trouble_;
    if (trouble) seen_.reset();
    trouble_ = trouble;
  }
  if (comes) {
    service::log_event(
        {service::Severity::warning,
         "problem",
         {{"code", std::string(to_string(trouble->code))}, {"path", path_}, {"detail", trouble->detail}}});
  }
  if (passes) service::log_info("destination-is-back path={}", path_);
}

Result<> ServedDirectory::set_known(KnownDirectory known) {
  {
    const std::lock_guard lock(mutex_);
    known_ = std::move(known);
  }
  return save_();
}

std::optional<ServedDirectory::Seen> ServedDirectory::seen_in(const os::Directory& directory) const {
  const auto self = directory.status("");
  const auto marker = directory.status(std::string(k_marker_name));
  const auto what = known();
  if (!self || !marker || !what) return std::nullopt;
  Seen seen{self->st_dev, self->st_ino, marker->st_ino, os::nanoseconds(marker->st_ctim), {}};
  for (const auto& [path, mount] : what->mounts) {
    const auto status = directory.status(path);
    if (!status) return std::nullopt;
    seen.mounted.push_back({path, status->st_dev, status->st_ino});
  }
  return seen;
}

/// Of what is mounted in the directory, the first that is not there as it was.
std::optional<std::string> ServedDirectory::lost_mount(const os::Directory& directory) const {
  std::vector<Seen::Mounted> mounted;
  {
    const std::lock_guard lock(mutex_);
    if (seen_) mounted = seen_->mounted;
  }
  for (const auto& mount : mounted) {
    const auto status = directory.status(mount.path);
    if (!status || status->st_dev != mount.device || status->st_ino != mount.inode) return mount.path;
  }
  return std::nullopt;
}

Result<os::Directory> ServedDirectory::open() {
  if (auto silent = silence()) return Failure(std::move(*silent));
  const Call call(*this);
  written_ = true;
  if (auto directory = os::Directory::open_root(path_)) {
    const auto now = check_writable(*directory, path_) ? seen_in(*directory) : std::nullopt;
    const std::lock_guard lock(mutex_);
    if (now && now == seen_ && !trouble_) return directory;
  }
  return open_and_judge(Raise::no);
}

Result<> ServedDirectory::check(const os::Directory& opened) {
  const Call call(*this);
  struct stat path {};
  const auto status = opened.status("");
  const bool is_there = ::stat(path_.c_str(), &path) == 0;
  const bool is_same = status && is_there && path.st_dev == status->st_dev && path.st_ino == status->st_ino;
  const auto lost = is_same ? lost_mount(opened) : std::nullopt;
  if (is_same && !lost) return {};
  Error error = gone(lost       ? "lacks the file system that was mounted in it at " + *lost
                     : is_there ? "is another one than a moment ago: something was mounted or unmounted there"
                                : "is not there any more");
  set_trouble(error);
  return Failure(std::move(error));
}

Result<> ServedDirectory::check_not_emptied(const os::Directory& opened) {
  const Call call(*this);
  const auto before = known();
  if (!before || !before->had_accounts) return {};
  const auto empty = is_empty_root(opened);
  if (!empty || !*empty) return {};
  Error error = gone("is empty, and there were accounts in it");
  set_trouble(error);
  return Failure(std::move(error));
}

void ServedDirectory::look() {
  if (!answers()) return;  // one that began earlier is still at it
  const Call call(*this);
  (void)open_and_judge(Raise::if_due);
}

void ServedDirectory::greet(const std::optional<Marker>& agent) {
  if (!answers()) return;
  const Call call(*this);
  {
    const std::lock_guard lock(looking_);
    if (agent) agent_ = agent;
  }
  (void)open_and_judge(Raise::yes);
}

Result<os::Directory> ServedDirectory::open_and_judge(Raise raise) {
  const std::lock_guard lock(looking_);
  auto opened = os::Directory::open_root(path_);
  auto directory = opened ? judge_opened(std::move(*opened), raise) : std::move(opened);
  if (!directory && directory.error().code != ErrorCode::destination_gone &&
      directory.error().code != ErrorCode::permission) {
    const std::string why = "cannot be opened (" + directory.error().message() + ")";
    directory = known() ? Failure(gone(why))
                        : failure(ErrorCode::root_gone, path_,
                                  "the destination's directory " + path_ + " " + why + "; make or mount it");
  }
  if (!directory) directory = Failure(os::explained(directory.error(), os::Side::destination));
  set_trouble(directory ? std::nullopt : std::optional(directory.error()));
  if (!directory) return directory;
  const auto seen = seen_in(*directory);
  const std::lock_guard state(mutex_);
  seen_ = seen;
  return directory;
}

Result<os::Directory> ServedDirectory::judge_opened(os::Directory directory, Raise raise) {
  auto marker = read_marker(directory);
  if (!marker && marker.error().code == ErrorCode::io) return Failure(gone("has a damaged file .maildirsync.root"));
  if (!marker) return Failure(marker.error());
  MAILDIRSYNC_ASSIGN(const auto empty, is_empty_root(directory));
  const FoundDirectory found{.marker = std::move(*marker),
                             .file_system = os::file_system_of(directory.fd()),
                             .is_empty = empty,
                             .mounts = mounts_in(directory)};
  const auto judgement = judge(known(), agent_, found);
  if (judgement.verdict == Verdict::held) return Failure(gone(judgement.reason));
  // After that: under systemd, what lies below a volume that went is read-only.
  MAILDIRSYNC_TRY(check_writable(directory, path_));
  if (judgement.verdict == Verdict::older) {
    service::log_warning(
        "destination-older path={} detail=\"the directory {}\" action=\"everything in it is compared\"", path_,
        judgement.reason);
    put_back_();
  }
  MAILDIRSYNC_TRY(keep(directory, found, judgement.verdict, raise));
  return directory;
}

/// The marker that belongs there by now, and what is known. A directory that does not let itself be marked, or is
/// full, is served all the same, as it always was.
Result<> ServedDirectory::keep(const os::Directory& directory, const FoundDirectory& found, Verdict verdict,
                               Raise raise) {
  // An empty one may be a mount point, and the agent that remembers it may still come: it is taken for work only.
  if (verdict == Verdict::taken && !found.marker && found.is_empty && raise != Raise::no) return {};
  const auto before = known();
  Marker marker = found.marker.value_or(Marker{});
  const bool due = raise == Raise::yes || (raise == Raise::if_due && written_);
  const bool rested = !raised_ || Clock::now() - *raised_ > k_raise_after;
  if (verdict == Verdict::older || !found.marker) {
    // Another name, so that every agent that knew the former one compares all that it has here.
    const std::string former = verdict == Verdict::older ? ids_before(marker, before) : "";
    MAILDIRSYNC_ASSIGN(marker, new_marker());
    marker.former = former;
  } else if (verdict == Verdict::taken || (due && rested)) {
    const bool agent_knows = agent_ && agent_->id == marker.id;
    marker.counter =
        std::max({marker.counter, before ? before->marker.counter : 0, agent_knows ? agent_->counter : 0}) + 1;
  } else {
    KnownDirectory now{marker, found.file_system, !found.is_empty, found.mounts};
    if (now == before) return {};
    if (const auto saved = set_known(std::move(now)); !saved)
      service::log_error("state-failed detail=\"{}\"", saved.error().message());
    return {};
  }
  const auto written = set_marker(directory, found, marker);
  if (written) return {};
  if (verdict == Verdict::older) return written;
  if (!std::exchange(complained_, true)) {
    service::log_warning(
        "marker-not-written path={} detail=\"{}\" action=\"the directory is served, but not known again\"", path_,
        written.error().message());
  }
  return {};
}

Result<> ServedDirectory::set_marker(const os::Directory& directory, const FoundDirectory& found,
                                     const Marker& marker) {
  MAILDIRSYNC_TRY(write_marker(directory, marker));
  MAILDIRSYNC_TRY(set_known({marker, found.file_system, !found.is_empty, found.mounts}));
  raised_ = Clock::now();
  written_ = false;
  complained_ = false;
  return {};
}

Result<> ServedDirectory::take() {
  if (auto silent = silence()) return Failure(std::move(*silent));
  {
    const Call call(*this);
    const std::lock_guard lock(looking_);
    auto directory = os::Directory::open_root(path_);
    if (!directory) return Failure(gone("cannot be opened (" + directory.error().message() + ")"));
    MAILDIRSYNC_TRY(check_writable(*directory, path_));
    MAILDIRSYNC_ASSIGN(const auto empty, is_empty_root(*directory));
    MAILDIRSYNC_ASSIGN(auto marker, new_marker());
    agent_.reset();
    MAILDIRSYNC_TRY(
        set_marker(*directory, {marker, os::file_system_of(directory->fd()), empty, mounts_in(*directory)}, marker));
    service::log_info("destination-taken path={} marker={}", path_, marker.id);
  }
  look();
  return {};
}

void ServedDirectory::account_removed(const os::Directory& opened) {
  const Call call(*this);
  const std::lock_guard lock(looking_);
  const auto empty = is_empty_root(opened);
  auto now = known();
  if (!empty || !*empty || !now || !now->had_accounts) return;
  now->had_accounts = false;
  if (const auto saved = set_known(std::move(*now)); !saved)
    service::log_error("state-failed detail=\"{}\"", saved.error().message());
}

void ServedDirectory::abandon() {
  if (!answers()) return;
  const Call call(*this);
  const std::lock_guard lock(looking_);
  const auto was = known();
  const auto directory = os::Directory::open_root(path_);
  if (!was || !directory) return;
  if (const auto removed = remove_marker(*directory, was->marker.id); !removed)
    service::log_warning("marker-stays path={} detail=\"{}\"", path_, removed.error().message());
}

}  // namespace maildirsync::daemon
