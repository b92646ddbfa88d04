#include "agent/turn/location.h"

#include <tuple>

#include "common/os/path.h"

namespace maildirsync::agent {

sync::Location location_of(const std::string& path) {
  const auto [directory, name] = os::split_last(path);
  const auto [folder, area] = os::split_last(directory);
  if (area == "cur") return {folder, sync::Area::cur, name};
  if (area == "new") return {folder, sync::Area::new_, name};
  return {directory, sync::Area::folder, name};
}

bool location_less(const sync::Location& left, const sync::Location& right) {
  return std::tie(left.folder, left.area, left.name) < std::tie(right.folder, right.area, right.name);
}

}  // namespace maildirsync::agent
