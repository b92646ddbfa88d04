#pragma once

#include <string>

#include "cli/deploy/old_server.h"
#include "cli/deploy/ssh.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// The old server as `deploy` works on it: by ssh, in one directory, and with what was found there. Blocks.
class There {
 public:
  /// `ssh`: the program, with options between spaces. `prefix`: where the bundle goes.
  There(const std::string& ssh, const std::string& destination, std::string prefix);

  /// Finds out what is there, and tells of it on stderr. From then on sudo is used where root's rights need it.
  Result<> look();
  const OldServer& found() const { return found_; }

  const Ssh& ssh() const { return ssh_; }
  const std::string& name() const { return ssh_.destination(); }
  const std::string& prefix() const { return prefix_; }
  /// The path of the command `maildirsync` there.
  std::string program() const;

  /// What a script said that ended well.
  Result<Said> must_run(const std::string& script, double seconds) const;
  /// These words as the reason, with the server's name.
  Failure failed(std::string words) const;

 private:
  Ssh ssh_;
  std::string prefix_;
  OldServer found_;
};

}  // namespace maildirsync::cli
