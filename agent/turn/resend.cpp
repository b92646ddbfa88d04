#include "agent/turn/resend.h"

#include <algorithm>
#include <iterator>

#include "common/sync/equality.h"

namespace maildirsync::agent {

namespace {

using sync::Entry;

bool has_place(const Entry& entry, const sync::Location& at) {
  return entry.area == at.area && entry.name == at.name;
}

bool is_as_seen(const sync::AccountManifest& listed, const Suspect& suspect) {
  const Entry* found = listed.find(suspect.at.folder, suspect.at.area, suspect.at.name);
  return found != nullptr && sync::same_stamp(*found, suspect.seen);
}

}  // namespace

std::vector<Suspect> still_there(const sync::AccountManifest& listed, const std::vector<Suspect>& suspects) {
  std::vector<Suspect> those;
  std::copy_if(suspects.begin(), suspects.end(), std::back_inserter(those),
               [&](const Suspect& suspect) { return is_as_seen(listed, suspect); });
  return those;
}

void replace_suspects(sync::AccountManifest& before, const std::vector<Suspect>& suspects) {
  for (const auto& suspect : suspects) {
    auto* folder = before.find(suspect.at.folder);
    if (folder == nullptr) continue;
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

void replace_control_files(sync::AccountManifest& before) {
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
