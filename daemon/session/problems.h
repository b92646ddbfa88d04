#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/commit/committer.h"
#include "daemon/session/peers.h"

namespace maildirsync::daemon {

/// What a person at the destination should know of: refusals that will not pass by themselves, for `status`. An agent
/// tries them again every 30 s, so that one which was not heard of for some time has passed. Event loop only.
class Problems {
 public:
  struct Problem {
    ErrorCode code = ErrorCode::io;
    std::string detail;
    std::chrono::steady_clock::time_point at;
  };
  using Where = std::tuple<std::string, std::string, std::string, std::string>;  ///< peer, root, account, path

  void note(const Peer& peer, const std::vector<Committed>& done);
  /// An account, by the key of its ListRequest, could be listed, or not.
  void note_listing(const std::string& account_key, const std::optional<Error>& error);
  /// Reported within the last few minutes.
  const std::map<Where, Problem>& recent();

 private:
  void add(const Where& where, ErrorCode code, const std::string& detail);
  void forget(std::map<Where, Problem>::iterator problem);

  std::map<Where, Problem> problems_;
  std::map<std::string, std::size_t> bytes_;  ///< of text, by peer
};

}  // namespace maildirsync::daemon
