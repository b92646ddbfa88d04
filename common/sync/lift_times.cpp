#include "common/sync/lift_times.h"

#include <algorithm>
#include <unordered_map>

#include "common/maildir/name.h"

namespace maildirsync::sync {

namespace {

struct Candidate {
  std::string_view folder;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
};

using ByBase = std::unordered_multimap<std::string_view, Candidate>;

/// Whether the time there may be another than the one given.
bool may_be_another(const Entry& entry, const os::KeptTimes& times) {
  if (entry.kind == EntryKind::symlink) return false;
  return times.grain > 1 || entry.mtime == times.latest || entry.mtime == times.earliest;
}

ByBase candidates_of(const std::vector<const AccountManifest*>& sources, const std::vector<Intent>& intents) {
  ByBase found;
  for (const auto* source : sources) {
    for (const auto& folder : source->folders) {
      for (const auto& entry : folder.entries)
        found.emplace(base_name(entry), Candidate{folder.path, entry.size, entry.mtime});
    }
  }
  for (const auto& intent : intents) {
    const auto& name = intent.to.name;
    found.emplace(intent.to.area == Area::folder ? std::string_view(name) : maildir::base_of(name),
                  Candidate{intent.to.folder, intent.size, intent.mtime});
  }
  return found;
}

/// Of several, the one of the same folder and size: a message may have been moved, or be cut short by a power cut. A
/// control file is that of its folder only, for every folder has such a name.
void lift(const std::string& folder, Entry& entry, const os::KeptTimes& times, const ByBase& candidates,
          OtherDates dates) {
  const auto [begin, end] = candidates.equal_range(base_name(entry));
  const Candidate* given = nullptr;
  const auto fits = [&](const Candidate& one) { return std::pair(one.size == entry.size, one.folder == folder); };
  for (auto found = begin; found != end; ++found) {
    const Candidate& one = found->second;
    if (one.size < entry.size || times.kept(one.mtime) != entry.mtime) continue;
    if (entry.area == Area::folder && one.folder != folder) continue;
    if (dates == OtherDates::shown && !times.holds(one.mtime)) continue;
    if (given == nullptr || fits(*given) < fits(one)) given = &one;
  }
  if (given != nullptr) entry.mtime = given->mtime;
}

}  // namespace

void lift_times(AccountManifest& listed, const TimesByFolder& times, const std::vector<const AccountManifest*>& sources,
                const std::vector<Intent>& intents, OtherDates dates) {
  ByBase candidates;
  bool indexed = false;
  for (auto& folder : listed.folders) {
    const auto found = times.find(folder.path);
    if (found == times.end()) continue;
    for (auto& entry : folder.entries) {
      if (!may_be_another(entry, found->second)) continue;
      if (!indexed) candidates = candidates_of(sources, intents);
      indexed = true;
      lift(folder.path, entry, found->second, candidates, dates);
    }
  }
}

}  // namespace maildirsync::sync
