#include "agent/scan/markers.h"

#include <algorithm>

#include <sys/stat.h>

#include "common/os/marker.h"

namespace maildirsync::agent {

std::optional<MetMarker> meet_marker(const os::Directory& directory, MetMarker::Where where, const std::string& path) {
  const auto status = directory.status(std::string(os::k_marker_name));
  if (!status || !S_ISREG(status->st_mode)) return std::nullopt;
  MetMarker met{.where = where,
                .directory = path,
                .id = "",
                .inode = status->st_ino,
                .changed = os::nanoseconds(status->st_ctim)};
  if (const auto marker = os::read_marker(directory); marker && *marker) met.id = (*marker)->id;
  return met;
}

void meet_again(std::vector<MetMarker>& found, const std::vector<MetMarker>& known, const std::string& root) {
  for (const auto& one : known) {
    if (one.where != MetMarker::Where::below || !one.directory.starts_with(root + '/')) continue;
    const auto is_same = [&](const MetMarker& other) { return other.directory == one.directory; };
    if (std::any_of(found.begin(), found.end(), is_same)) continue;
    const auto directory = os::Directory::open_root(one.directory);
    if (auto met = directory ? meet_marker(*directory, one.where, one.directory) : std::nullopt)
      found.push_back(std::move(*met));
  }
}

std::vector<MetMarker> meet_markers_above(const std::string& path) {
  std::vector<MetMarker> met;
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    const std::string above = slash == 0 ? "/" : path.substr(0, slash);
    if (path == "/") break;
    if (const auto directory = os::Directory::open_root(above)) {
      if (auto marker = meet_marker(*directory, MetMarker::Where::above, above)) met.push_back(std::move(*marker));
    }
    if (slash == 0) break;
  }
  return met;
}

}  // namespace maildirsync::agent
