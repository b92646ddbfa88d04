#include "agent/verify/drained.h"

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "common/sync/drain.h"

namespace maildirsync::agent {

namespace {

/// What is at the destination, in whatever folder and under whatever flags.
class There {
 public:
  explicit There(const sync::AccountManifest& destination) {
    for (const auto& folder : destination.folders) {
      for (const auto& entry : folder.entries) {
        if (!sync::is_message(entry)) continue;
        names_.insert(sync::base_name(entry));
        stamps_.emplace(entry.size, entry.mtime);
      }
    }
  }

  bool has(const sync::Entry& entry) const {
    return names_.contains(sync::base_name(entry)) || stamps_.contains({entry.size, entry.mtime});
  }

 private:
  std::unordered_set<std::string_view> names_;
  std::set<std::pair<std::uint64_t, std::int64_t>> stamps_;
};

using Place = std::pair<std::string, std::string>;  ///< folder and name

std::string evidence_of(const sync::Entry& entry) {
  return std::to_string(entry.inode) + ' ' + std::to_string(entry.size) + ' ' + std::to_string(entry.mtime);
}

}  // namespace

std::string_view to_string(Straggler::Where where) {
  switch (where) {
    case Straggler::Where::there:
      return "there";
    case Straggler::Where::was_there:
      return "was-there";
    case Straggler::Where::waits:
      break;
  }
  return "waits";
}

DrainVerdict compare_drained(const sync::AccountManifest& source, const sync::AccountManifest& given,
                             const sync::AccountManifest& destination, std::int64_t since) {
  DrainVerdict verdict;
  std::set<Place> owed;
  for (const auto& operation : sync::plan_drain(given, source)) {
    if (operation.kind != sync::OperationKind::put) continue;
    owed.emplace(operation.to.folder, operation.to.name);
    verdict.differences.push_back({.kind = DifferenceKind::missing,
                                   .folder = operation.to.folder,
                                   .area = operation.to.area,
                                   .name = operation.to.name,
                                   .detail = "came to the source since the drain, and was not given to the destination",
                                   .evidence = evidence_of(operation.result),
                                   .at_source = operation.result,
                                   .at_destination = std::nullopt});
  }
  const There there(destination);
  for (const auto& folder : source.folders) {
    for (const auto& entry : folder.entries) {
      if (!sync::is_message(entry)) continue;
      const bool waits = owed.contains({folder.path, entry.name});
      const std::int64_t came = sync::came_at(entry);
      if (!waits && came < since) continue;
      verdict.stragglers.push_back({folder.path, entry, came,
                                    waits              ? Straggler::Where::waits
                                    : there.has(entry) ? Straggler::Where::there
                                                       : Straggler::Where::was_there});
    }
  }
  std::sort(verdict.stragglers.begin(), verdict.stragglers.end(), [](const Straggler& left, const Straggler& right) {
    return std::pair(left.came, left.entry.name) < std::pair(right.came, right.entry.name);
  });
  return verdict;
}

}  // namespace maildirsync::agent
