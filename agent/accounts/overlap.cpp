#include "agent/accounts/overlap.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

bool is_marker_of(const MetMarker& met, const Overlap& destination) {
  if (!met.id.empty()) return met.id == destination.id;
  return met.inode != 0 && met.inode == destination.inode && met.changed == destination.changed;
}

/// The place in the source of `from` where the mail of `to` lands; nullptr for none.
const MetMarker* lands(const RootPlaces& from, const RootPlaces& to) {
  const auto& met = from.overlap->met;
  const auto found =
      std::find_if(met.begin(), met.end(), [&](const MetMarker& marker) { return is_marker_of(marker, *to.overlap); });
  return found == met.end() ? nullptr : &*found;
}

std::string place_of(const RootPlaces& root, const MetMarker& met) {
  switch (met.where) {
    case MetMarker::Where::here:
      return "the source " + root.source + " is itself";
    case MetMarker::Where::below:
      return "in the source " + root.source + ", at " + met.directory + ", is";
    case MetMarker::Where::above:
      return "the source " + root.source + " lies in " + met.directory + ", and that is";
  }
  return {};
}

constexpr const char* k_remedy =
    ": nothing of it is sent or deleted. Put path right in agent.toml, or in receiver.toml, and it goes on by itself. "
    "If "
    "it is only a copy of the destination, remove the file .maildirsync.root from it";

/// Whether mail of `from` comes to `to`'s destination by other roots.
bool leads_to(const std::vector<RootPlaces>& roots, std::size_t from, std::size_t to, std::vector<bool>& seen) {
  if (from == to) return true;
  if (seen[from]) return false;
  seen[from] = true;
  for (std::size_t next = 0; next < roots.size(); ++next) {
    if (lands(roots[from], roots[next]) != nullptr && leads_to(roots, next, to, seen)) return true;
  }
  return false;
}

}  // namespace

std::string reason_of_overlap(const std::vector<RootPlaces>& roots, std::size_t index) {
  const RootPlaces& root = roots[index];
  if (const auto* own = lands(root, root)) {
    return place_of(root, *own) + " the directory in which it lands at the destination" + k_remedy;
  }
  for (std::size_t other = 0; other < roots.size(); ++other) {
    const auto* met = other == index ? nullptr : lands(root, roots[other]);
    std::vector<bool> seen(roots.size());
    if (met == nullptr || !leads_to(roots, other, index, seen)) continue;
    return place_of(root, *met) + " the directory in which the root " + roots[other].name +
           " lands, and its mail comes back to this one: it would go round in a circle" + k_remedy;
  }
  return "";
}

}  // namespace maildirsync::agent
