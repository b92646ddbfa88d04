#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/ask/ask.h"
#include "cli/cutover/door.h"
#include "cli/cutover/record.h"
#include "cli/cutover/shell.h"
#include "cli/options.h"

namespace maildirsync::cli {

struct Ended {
  bool good = false;
  std::string detail;
};

/// What the attempts found out on their way.
struct CutoverFindings {
  Json left_out = Json::array();  ///< by the last full flush
  Json verified = nullptr;        ///< the answer of the last comparison
  std::vector<std::string> drained;
  std::optional<double> flush_seconds, verify_seconds;  ///< of the presync: about what they will take in the window
};

/// The steps of a cutover as questions to the agent and commands of the administrator: each is tried once, and nothing
/// is decided here. Timeouts in seconds, 0: no end. `cancel_fd` ends what may be interrupted.
class Attempts {
 public:
  /// `command_began` hears the number of each command's process.
  Attempts(const Options& options, const CutoverOrder& order, int cancel_fd, std::function<void(pid_t)> command_began)
      : options_(options), order_(order), cancel_fd_(cancel_fd), command_began_(std::move(command_began)) {}

  /// A full flush and a comparison beside the running mail server, both timed; refuses what would stop the window.
  Ended presync();
  Ended flush(double timeout);
  Ended verify(double timeout);
  /// Puts right what a Dovecot at the destination indexed too early.
  Ended indexes();
  /// "drain" or "mirror" for each root; for accounts that move, another root.
  Ended set_mode(const char* mode);
  // The commands, with the maps of the door where there is one. What undoes is not interrupted.
  Ended freeze(double timeout) const;
  Ended thaw() const;
  Ended switch_over() const;
  Ended unswitch() const;
  Ended check() const;

  const CutoverFindings& findings() const { return findings_; }

 private:
  Patience patience(double timeout, std::function<void(const Json&)> on_progress) const;
  Ended run(const std::string& command, int cancel_fd, double timeout) const;
  Ended hook(const std::string& command, double timeout) const;
  Ended undoing_hook(const std::string& command) const;
  Ended set_door(Place place, int cancel_fd, double timeout) const;
  Ended set_members(bool joins);
  double bounded(double timeout) const;
  Json of_these(Json request) const;
  Ended standing() const;

  const Options& options_;
  const CutoverOrder& order_;
  const int cancel_fd_;
  const std::function<void(pid_t)> command_began_;
  CutoverFindings findings_;
};

}  // namespace maildirsync::cli
