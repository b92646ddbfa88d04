#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "common/os/result.h"

namespace maildirsync::daemon {

/// A copy of the record of each agent's last cutover, so that one which froze the old server or switched is known to
/// the agent again after its state was lost. A file for each agent in the state directory; what it says is the agent's
/// and the cutover's. Thread-safe; blocks on files.
class CutoverCopies {
 public:
  struct Copy {
    std::uint64_t revision = 0;  ///< 0: there is none
    std::string record;
  };

  explicit CutoverCopies(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Copy of(const std::string& fingerprint);
  /// On the disk when it returns. One that is not newer changes nothing.
  Result<> keep(const std::string& fingerprint, Copy copy);

  static constexpr std::size_t k_longest = 256 * 1024;  ///< bytes of a record

 private:
  Copy& known(const std::string& fingerprint);

  const std::string state_dir_;
  std::mutex mutex_;
  std::map<std::string, Copy> copies_;  ///< by fingerprint; as on the disk
};

}  // namespace maildirsync::daemon
