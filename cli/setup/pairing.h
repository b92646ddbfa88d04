#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/setup/pair_line.h"
#include "cli/setup/places.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Makes the two sides known to each other, by editing their configurations. A configuration that would be wrong
/// afterwards is left as it was.

/// What this side prints for the other. `address`: how agents reach this receiver, "" for the name of this host;
/// without a port, that of `listen`.
Result<PairLine> own_line(Role role, const Places& places, const std::string& address);

struct Paired {
  std::vector<std::string> notes;  ///< what was done and why, a sentence each
  bool dropin_changed = false;
};

/// At the agent: the receiver of the line is ours from now on.
Result<Paired> pair_with_receiver(const Places& places, const PairLine& line);

/// How an agent's roots land here; by the root's name, "" for all.
struct Mapping {
  std::string peer_name;  ///< "" for the agent's host name
  std::map<std::string, std::string> paths;
  std::map<std::string, std::string> owners;  ///< "user:group"
  bool replace = false;                       ///< a peer of that name gets the line's fingerprint
};

/// At the receiver: the agent of the line may send its roots from now on.
Result<Paired> pair_with_agent(const Places& places, const PairLine& line, const Mapping& mapping);

/// Names the paths in the drop-in of the receiver's unit; true when that changed it.
Result<bool> allow_writes(const Places& places, const std::vector<std::string>& paths);

}  // namespace maildirsync::cli
