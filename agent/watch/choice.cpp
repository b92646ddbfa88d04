#include "agent/watch/choice.h"

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include <sys/vfs.h>

#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_answers_within = 5s;

using Opening = std::future<Result<os::Directory>>;

/// On a thread of its own, which is left behind where the file system does not answer.
Opening begin_to_open(const std::string& path) {
  std::packaged_task<Result<os::Directory>()> task([path] {
    auto directory = os::Directory::open_root(path);
    struct statfs ignored {};
    if (directory) (void)::fstatfs(directory->fd(), &ignored);
    return directory;
  });
  auto opening = task.get_future();
  std::thread(std::move(task)).detach();
  return opening;
}

Result<std::unique_ptr<Watcher>> fanotify_on(const std::vector<config::AgentRoot>& roots) {
  auto watcher = make_fanotify_watcher();
  if (!watcher) return watcher;
  std::vector<Opening> openings;
  for (const auto& root : roots)
    openings.push_back(begin_to_open(root.path));
  const auto deadline = std::chrono::steady_clock::now() + k_answers_within;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (openings[i].wait_until(deadline) != std::future_status::ready) {
      service::log_warning("root-silent root={} path={} action=\"it is watched once it answers\"", roots[i].name,
                           roots[i].path);
      continue;
    }
    const auto directory = openings[i].get();
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
  MAILDIRSYNC_ASSIGN(auto inotify, make_inotify_watcher());
  return Choice{std::move(inotify), std::move(reason)};
}

}  // namespace maildirsync::agent
