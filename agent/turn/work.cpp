#include "agent/turn/work.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

void list_rather_than_names(FolderDirt& dirt) {
  if (dirt.names.size() > k_names_before_listing) dirt = {.everything = true, .names = {}};
}

}  // namespace

std::size_t Work::names() const {
  std::size_t count = 0;
  for (const auto& [path, dirt] : folders)
    count += dirt.everything ? 1 : dirt.names.size();
  return count;
}

void Work::changed_at(Time at) {
  oldest = oldest ? std::min(*oldest, at) : at;
}

void Work::add_name(const std::string& folder, AreaName name, Time at) {
  changed_at(at);
  auto& dirt = folders[folder];
  if (dirt.everything) return;
  dirt.names.insert(std::move(name));
  list_rather_than_names(dirt);
}

void Work::add_structure(Time at) {
  changed_at(at);
  structure = true;
}

void Work::merge(const Work& other) {
  structure |= other.structure;
  full |= other.full;
  compare |= other.compare;
  settled |= other.settled;
  repairs |= other.repairs;
  reindex |= other.reindex;
  aside_extra |= other.aside_extra;
  if (other.oldest) changed_at(*other.oldest);
  if (other.doubted_since) doubted_since = std::min(doubted_since.value_or(*other.doubted_since), *other.doubted_since);
  suspects.insert(suspects.end(), other.suspects.begin(), other.suspects.end());
  for (const auto& [path, dirt] : other.folders) {
    auto& mine = folders[path];
    if (mine.everything) continue;
    if (dirt.everything) {
      mine = dirt;
    } else {
      mine.names.insert(dirt.names.begin(), dirt.names.end());
      list_rather_than_names(mine);
    }
  }
}

}  // namespace maildirsync::agent
