#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/result.h"

namespace maildirsync::cli {

/// What a command said, here or there.
struct Said {
  int exit_status = 0;
  std::string out;
  std::string err;
  bool good() const { return exit_status == 0; }
  /// Its last words, for a sentence.
  std::string last_words() const;
};

/// The next bytes for a command's stdin; "" at their end.
using Feed = std::function<std::string_view()>;

/// Runs a program with its output caught; a password that it asks for at the terminal is asked. Ended after the
/// seconds, if there are any. ErrorCode::vanished when it is not installed. Blocks.
Result<Said> run_caught(const std::vector<std::string>& command, const Feed& feed, double seconds);

/// The other server, by the system's ssh.
class Ssh {
 public:
  /// `command`: "ssh" and what it takes before the destination, such as {"ssh", "-p", "2222"}.
  Ssh(std::vector<std::string> command, std::string destination)
      : command_(std::move(command)), destination_(std::move(destination)) {}

  const std::string& destination() const { return destination_; }
  const std::vector<std::string>& command() const { return command_; }
  /// Everything from now on is done by sudo.
  void use_sudo() { sudo_ = "sudo -n "; }

  /// Runs a script by sh there, with nothing on its stdin. What the login prints around it is left out. An error when
  /// no shell answered, in one sentence; what the script itself ended with is in Said.
  Result<Said> run(const std::string& script, double seconds) const;
  /// Runs one line of sh, without a ' in it, with the feed on its stdin.
  Result<Said> run_with(const std::string& line, const Feed& feed, double seconds) const;

 private:
  Result<Said> speak(const std::string& remote, const Feed& feed, double seconds) const;

  std::vector<std::string> command_;
  std::string destination_;
  std::string sudo_;
};

}  // namespace maildirsync::cli
