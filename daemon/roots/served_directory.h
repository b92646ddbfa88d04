#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

#include "common/os/directory.h"
#include "common/os/result.h"
#include "daemon/roots/judge.h"

namespace maildirsync::daemon {

/// A directory in which roots of agents land, and what is known of it over restarts. It is served only while it is the
/// one that it was (judge.h): where a volume is not mounted, mail must not be written into the mount point. Blocking,
/// but for known(), trouble() and answers(); thread-safe.
class ServedDirectory {
 public:
  /// `save` writes down what known() says; called whenever that has changed. `put_back` is called when the directory is
  /// found to be as it was at an earlier time.
  ServedDirectory(
      std::string path, std::optional<KnownDirectory> known, std::function<Result<>()> save,
      std::function<void()> put_back = [] {})
      : path_(std::move(path)), save_(std::move(save)), put_back_(std::move(put_back)), known_(std::move(known)) {}

  /// Opens it for work. destination_gone when it is not what it was, root_gone when it was never there, permission when
  /// it is read-only; each with a sentence that says how to mend it.
  Result<os::Directory> open();
  /// Whether the path still leads to what open() gave: nothing was unmounted or mounted over it since, nor in it. A few
  /// calls of stat(2).
  Result<> check(const os::Directory& opened);
  /// For an account that is not there: destination_gone when no account is there any more, though there were some.
  Result<> check_not_emptied(const os::Directory& opened);
  /// Looks at it as open() does, and gives the marker a higher number where something was written for a while.
  void look();
  /// An agent greets: it last heard of this marker. Looks, and raises the marker's number for its session.
  void greet(const std::optional<Marker>& agent);
  /// A person says that it is right as it is: served from now on, with a new marker.
  Result<> take();
  /// An account was taken away on order of its agent: it may have been the last one.
  void account_removed(const os::Directory& opened);
  /// Takes the marker away: no root lands here any more.
  void abandon();

  const std::string& path() const { return path_; }
  std::optional<KnownDirectory> known() const;
  /// The marker's file, as of the last look that found all right.
  struct MarkerFile {
    std::uint64_t inode = 0;
    std::int64_t changed = 0;  ///< ctime, ns since the epoch
  };
  std::optional<MarkerFile> marker_file() const;
  /// What the last look found wrong; timed_out while it does not answer.
  std::optional<Error> trouble() const;
  /// False while a call to it has been under way for long: a disk or a mount of the network that hangs. Whatever would
  /// call it must not, because it would hang too; open() and greet() do not.
  bool answers() const;

 private:
  enum class Raise : std::uint8_t { no, if_due, yes };
  using Clock = std::chrono::steady_clock;

  /// The directory, the marker and what is mounted in it, as they were when all was right.
  struct Seen {
    struct Mounted {
      std::string path;
      dev_t device = 0;
      ino_t inode = 0;
      bool operator==(const Mounted&) const = default;
    };
    dev_t device = 0;
    ino_t inode = 0, marker = 0;
    std::int64_t marker_changed = 0;
    std::vector<Mounted> mounted;
    bool operator==(const Seen&) const = default;
  };

  Result<os::Directory> open_and_judge(Raise raise);
  Result<os::Directory> judge_opened(os::Directory directory, Raise raise);
  Result<> keep(const os::Directory& directory, const FoundDirectory& found, Verdict verdict, Raise raise);
  Result<> set_marker(const os::Directory& directory, const FoundDirectory& found, const Marker& marker);
  Result<> set_known(KnownDirectory known);
  void set_trouble(std::optional<Error> trouble);
  Error gone(const std::string& reason) const;
  std::optional<Seen> seen_in(const os::Directory& directory) const;
  std::optional<std::string> lost_mount(const os::Directory& directory) const;

  /// While it lives, a call is under way.
  class Call {
   public:
    explicit Call(ServedDirectory& directory);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    ServedDirectory& directory_;
    std::multiset<Clock::time_point>::iterator begun_;
  };
  std::optional<Error> silence() const;

  const std::string path_;
  const std::function<Result<>()> save_;
  const std::function<void()> put_back_;

  mutable std::mutex calls_mutex_;
  std::multiset<Clock::time_point> calls_;  ///< when those that are under way began

  std::mutex looking_;  ///< held while the directory is judged and its marker written
  std::optional<Marker> agent_;
  std::optional<Clock::time_point> raised_;
  bool complained_ = false;
  std::atomic<bool> written_ = false;  ///< since the marker's number was raised

  mutable std::mutex mutex_;  ///< of what follows; never held over a system call
  std::optional<KnownDirectory> known_;
  std::optional<Error> trouble_;
  std::optional<Seen> seen_;
};

}  // namespace maildirsync::daemon
