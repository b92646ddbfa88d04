#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "daemon/roots/marker.h"

namespace maildirsync::daemon {

/// What the receiver knows of a directory that it has served.
struct KnownDirectory {
  Marker marker;
  std::string file_system;    ///< os::file_system_of, may be ""
  bool had_accounts = false;  ///< when it was last looked at
  /// What was mounted at directories in it, by their paths (os::mounted_at): a domain's own volume.
  std::map<std::string, std::uint64_t> mounts;
  bool operator==(const KnownDirectory&) const = default;
};

/// What is there now, at the path that the configuration says.
struct FoundDirectory {
  std::optional<Marker> marker;
  std::string file_system;
  bool is_empty = false;  ///< but for what is ours
  std::map<std::string, std::uint64_t> mounts;
};

enum class Verdict : std::uint8_t {
  known,  ///< the same as before
  taken,  ///< not known yet: it is served from now on
  older,  ///< the same, as it was at an earlier time: a snapshot or a backup was put back
  held,   ///< another one, or not mounted: nothing must be written to it
};

struct Judgement {
  Verdict verdict = Verdict::known;
  std::string reason;  ///< of `held` and `older`: half a sentence on the directory ("has no …")
};

/// Whether the directory is the one that it was. `known`: none for one that was never served, as far as this receiver's
/// state goes; `agent`: the last marker that the agent heard of for this root, which counts where the receiver's own
/// memory was lost, or put back together with the mail. Pure.
Judgement judge(const std::optional<KnownDirectory>& known, const std::optional<Marker>& agent,
                const FoundDirectory& found);

}  // namespace maildirsync::daemon
