#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/scan/folder.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

/// What may have changed in one folder.
struct FolderDirt {
  bool everything = false;
  std::set<AreaName> names;  ///< empty when everything
};

/// More names than this in one folder, and listing it is cheaper.
inline constexpr std::size_t k_names_before_listing = 2000;

/// A file at the destination that is not what was acknowledged; to be sent again in its place.
struct Suspect {
  sync::Location at;  ///< at the destination
  sync::Entry seen;   ///< what was there
};

/// What must be looked at in one account: a value that events add to and that a turn takes. Merging says the same
/// thing once; that many events for one file are one look is what keeps a flood cheap. What is asked for together:
///
///   names alone              events told of them
///   structure                a retry, a directory's event, a flush: folders are walked, unchanged ones are not listed
///   structure, full          events were lost, `flush --full`, `verify` before it reports a difference
///   structure, compare       what the destination holds may be another thing than is believed
///   with compare only        suspects, aside_extra, repairs (`verify --repair`); reindex (`repair-index`);
///                            doubted_since (the receiver's unclean end)
///   settled                  the turn before has put removals off, or a person has released the account
struct Work {
  bool structure = false;  ///< walk the folders and compare their stamps
  bool full = false;       ///< stat every message, whatever the stamps say
  bool compare = false;    ///< ask the receiver what it holds first
  bool settled = false;    ///< removals have waited long enough to be believed
  std::map<std::string, FolderDirt> folders;
  std::vector<Suspect> suspects;  ///< with `compare`
  bool aside_extra = false;       ///< with `compare`: what only the destination has is put aside there
  bool repairs = false;           ///< with `compare`: a person said that the source counts, whatever users did
  bool reindex = false;           ///< with `compare`: the destination's indexes go, and control files are sent again
  /// With `compare`: what was changed at the destination from then on, by its clock in nanoseconds, is digested there
  /// and compared by content.
  std::optional<std::int64_t> doubted_since;
  std::optional<Time> oldest;  ///< the first change that is not yet durable; none for looks that only make sure

  /// Asks for a walk of the whole account, and not for some names alone.
  bool is_whole() const { return structure || full || compare; }
  bool empty() const { return !is_whole() && folders.empty(); }
  std::size_t names() const;

  void add_name(const std::string& folder, AreaName name, Time at);
  void add_structure(Time at);
  void changed_at(Time at);
  void merge(const Work& other);
};

}  // namespace maildirsync::agent
