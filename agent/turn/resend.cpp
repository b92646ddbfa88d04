#include "agent/turn/resend.h"

#include <algorithm>

namespace maildirsync::agent {

namespace {

using sync::Entry;

Entry probe_of(const sync::Location& at) {
  Entry probe;
  probe.area = at.area;
  probe.name = at.name;
  return probe;
}

bool has_place(const Entry& entry, const sync::Location& at) {
  return entry.area == at.area && entry.name == at.name;
}

bool is_as_seen(const sync::AccountManifest& listed, const Suspect& suspect) {
  const auto* folder = listed.find(suspect.at.folder);
  if (folder == nullptr) return false;
  const auto found =
      std::lower_bound(folder->entries.begin(), folder->entries.end(), probe_of(suspect.at), sync::before_in_folder);
  return found != folder->entries.end() && has_place(*found, suspect.at) && found->kind == suspect.seen.kind &&
         found->size == suspect.seen.size && found->mtime == suspect.seen.mtime;
}

}  // namespace

void distrust(sync::AccountManifest& before, const sync::AccountManifest& listed,
              const std::vector<Suspect>& suspects) {
  for (const auto& suspect : suspects) {
    if (!is_as_seen(listed, suspect)) continue;
    const auto folder = std::find_if(before.folders.begin(), before.folders.end(),
                                     [&](const auto& candidate) { return candidate.path == suspect.at.folder; });
    if (folder == before.folders.end()) continue;
    Entry entry = suspect.seen;
    entry.area = suspect.at.area;
    entry.name = suspect.at.name;
    entry.inode = 0;
    // With a digest, the receiver knows the file by its content; then no time may make it look like the source's.
    if (entry.digest) --entry.mtime;
    const auto place = std::lower_bound(folder->entries.begin(), folder->entries.end(), entry, sync::before_in_folder);
    if (place != folder->entries.end() && has_place(*place, suspect.at)) {
      *place = std::move(entry);
    } else {
      folder->entries.insert(place, std::move(entry));
    }
  }
}

void distrust_control_files(sync::AccountManifest& before) {
  for (auto& folder : before.folders) {
    for (auto& entry : folder.entries) {
      if (entry.area != sync::Area::folder) continue;
      entry.inode = 0;
      entry.digest.reset();
      --entry.mtime;
    }
  }
}

}  // namespace maildirsync::agent
