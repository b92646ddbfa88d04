#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::daemon {

/// An end of the receiver, and of its machine with it, that it did not see coming: a power cut or a crash of the
/// system. What it had acknowledged shortly before is looked at again, whatever its file system has promised.
struct UncleanEnd {
  std::uint64_t number = 0;  ///< they count from 1 for a state directory
  std::int64_t since = 0;    ///< what was changed from then on is in doubt; nanoseconds since the epoch, by our clock
};

/// Says in the state directory that a receiver is running, and since when it was last seen alive. Owns the files
/// "running" and "unclean-end" there. A process that was killed is not an unclean end: the kernel still has all that it
/// wrote, as long as it is the same boot.
class RunMark {
 public:
  /// Looks at the mark of the last run and sets our own; durable when it returns. `boot`: names this boot of the
  /// machine, "" when that cannot be told.
  static Result<RunMark> begin(const std::string& state_dir, const std::string& boot);

  /// The last one, if there ever was one.
  const std::optional<UncleanEnd>& last_unclean_end() const { return last_; }
  /// Whether it was this run that found it.
  bool is_new() const { return is_new_; }

  /// We are still alive. To be called about once in k_sign_of_life seconds, on any thread but the event loop's.
  void live() const;
  /// Takes the mark away: all that we did is synced.
  void end();

  static constexpr int k_sign_of_life = 60;

 private:
  RunMark(std::string state_dir, os::Fd mark, std::optional<UncleanEnd> last, bool is_new)
      : state_dir_(std::move(state_dir)), mark_(std::move(mark)), last_(last), is_new_(is_new) {}

  std::string state_dir_;
  os::Fd mark_;
  std::optional<UncleanEnd> last_;
  bool is_new_ = false;
};

}  // namespace maildirsync::daemon
