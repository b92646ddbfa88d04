#include "daemon/roots/judge.h"

#include "common/os/file_system.h"

namespace maildirsync::daemon {

namespace {

bool is_among(const std::string& id, const std::string& ids) {
  return (" " + ids + " ").find(" " + id + " ") != std::string::npos;
}

Judgement held(std::string reason) {
  return {Verdict::held, std::move(reason)};
}

/// A directory that this receiver's state does not know.
Judgement judge_unknown(const std::optional<Marker>& agent, const FoundDirectory& found) {
  if (found.marker) {
    const bool is_older = agent && agent->id == found.marker->id && found.marker->counter < agent->counter;
    return is_older ? Judgement{Verdict::older, "is as it was at an earlier time"} : Judgement{Verdict::taken, ""};
  }
  // An unmounted one looks like this, after the receiver's state was lost too.
  if (agent && found.is_empty) return held("is empty, and the agent's mail was in it");
  return {Verdict::taken, ""};
}

}  // namespace

Judgement judge(const std::optional<KnownDirectory>& known, const std::optional<Marker>& agent,
                const FoundDirectory& found) {
  if (!known) return judge_unknown(agent, found);
  if (!found.marker) {
    return held(found.is_empty ? "is empty, and the mail that was put there is not in it"
                               : "lacks the file .maildirsync.root, by which maildirsyncd knows it again");
  }
  const bool was_put_back = is_among(found.marker->id, known->marker.former);
  if (found.marker->id != known->marker.id && !was_put_back)
    return held("is another one: its file .maildirsync.root is that of another directory");
  if (os::is_another_file_system(known->file_system, found.file_system))
    return held("is on another file system (" + found.file_system + ") than before (" + known->file_system + ")");
  if (known->had_accounts && found.is_empty) return held("is empty, and there were accounts in it");
  for (const auto& [path, was] : known->mounts) {
    const auto is = found.mounts.find(path);
    if (is == found.mounts.end()) return held("lacks the file system that was mounted in it at " + path);
    if (is->second != was) return held("has another file system mounted in it at " + path + " than before");
  }
  const bool is_older = was_put_back || found.marker->counter < known->marker.counter ||
                        (agent && agent->id == found.marker->id && found.marker->counter < agent->counter);
  return is_older ? Judgement{Verdict::older, "is as it was at an earlier time"} : Judgement{Verdict::known, ""};
}

}  // namespace maildirsync::daemon
