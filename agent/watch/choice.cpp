#include "agent/watch/choice.h"

namespace maildirsync::agent {

namespace {

Result<std::unique_ptr<Watcher>> fanotify_on(const std::vector<config::AgentRoot>& roots) {
  auto watcher = make_fanotify_watcher();
  if (!watcher) return watcher;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto directory = os::Directory::open_root(roots[i].path);
    if (!directory) continue;  // a missing root is the discovery's to report
    MAILDIRSYNC_TRY((*watcher)->watch(*directory, {Part::root, static_cast<std::uint32_t>(i), ""}));
  }
  return watcher;
}

}  // namespace

Result<Choice> choose_watcher(config::WatchBackend backend, const std::vector<config::AgentRoot>& roots) {
  std::string reason = "as configured";
  if (backend != config::WatchBackend::inotify) {
    auto fanotify = fanotify_on(roots);
    if (fanotify) {
      if (backend == config::WatchBackend::automatic) reason = "it works here, for every root";
      return Choice{std::move(*fanotify), std::move(reason)};
    }
    if (backend == config::WatchBackend::fanotify) {
      Error error = fanotify.error();
      error.detail = "watch.backend = \"fanotify\" is not possible here: " + error.detail;
      return Failure(std::move(error));
    }
    reason = "fanotify is not possible here: " + fanotify.error().message();
  }
  auto inotify = make_inotify_watcher();
  if (!inotify) return Failure(inotify.error());
  return Choice{std::move(*inotify), std::move(reason)};
}

}  // namespace maildirsync::agent
