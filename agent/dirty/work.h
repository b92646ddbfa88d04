#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/scan/scanner.h"

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

/// What is to be looked at in one account: a value that events add to and that a job takes. Merging says the same
/// thing once; that many events for one file are one look is what keeps a flood cheap.
struct Work {
  bool structure = false;  ///< walk the folders and compare their stamps
  bool full = false;       ///< stat every message, whatever the stamps say
  bool compare = false;    ///< ask the receiver what it holds first
  bool settled = false;    ///< removals have waited long enough to be believed
  std::map<std::string, FolderDirt> folders;
  std::optional<Time> oldest;  ///< the first change that is not yet durable; none for looks that only make sure

  bool empty() const { return !structure && !full && !compare && folders.empty(); }
  std::size_t names() const;

  void add_name(const std::string& folder, AreaName name, Time at);
  void add_folder(const std::string& folder, Time at);
  void add_structure(Time at);
  void changed_at(Time at);
  void merge(const Work& other);
};

}  // namespace maildirsync::agent
