#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"

namespace maildirsync::agent {

void Engine::watch() {
  watch_descriptor_.assign(watcher_->fd());
  watch_events();
  if (mounts_.fd() < 0) return;
  mount_descriptor_.assign(mounts_.fd());
  watch_mounts();
}

void Engine::watch_events() {
  watch_descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error || stopping_) return;
    for (const auto& event : watcher_->read().events)
      take_event(event);
    dispatch();
    watch_events();
  });
}

void Engine::take_event(const Event& event) {
  if (event.kind == EventKind::overflow) return lost_events();
  if (event.place.part == Part::root) {
    if (event.place.owner < roots_.size()) discover_root(event.place.owner);
    return;
  }
  const auto found = accounts_.find(event.place.owner);
  if (found == accounts_.end()) return;
  Account& account = found->second;
  const Time now = Clock::now();
  if (event.kind == EventKind::self_gone) {
    account.work.add_structure(now);
  } else if (event.place.part == Part::folder) {
    if (event.kind == EventKind::directory) {
      account.work.add_structure(now);
    } else {
      account.work.add_name(event.place.path, {sync::Area::folder, event.name}, now);
    }
  } else if (event.kind == EventKind::name) {
    const auto area = event.place.part == Part::cur ? sync::Area::cur : sync::Area::new_;
    account.work.add_name(event.place.path, {area, event.name}, now);
  } else {
    account.work.add_structure(now);
  }
  schedule(account);
}

void Engine::lost_events() {
  ++totals_.overflows;
  spdlog::warn("watch-overflow backend={} action=\"everything is looked at again\" remedy=\"{}\"", watcher_->backend(),
               watcher_->overflow_remedy());
  const Time now = Clock::now();
  for (auto& [id, account] : accounts_) {
    account.work.full = true;
    account.work.add_structure(now);
    schedule(account);
  }
  for (std::size_t i = 0; i < roots_.size(); ++i)
    discover_root(i);
}

/// Another file system may be at a root, an account or a folder now.
void Engine::watch_mounts() {
  mount_descriptor_.async_wait(asio::posix::stream_descriptor::wait_error, [this](const asio::error_code& error) {
    if (error || stopping_) return;
    for (const auto& point : mounts_.changed())
      mount_changed(point);
    dispatch();
    watch_mounts();
  });
}

void Engine::mount_changed(const std::string& point) {
  const Time now = Clock::now();
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    const Root& root = roots_[i];
    if (root.removed || !decides(point, root.directory ? root.real_path : root.config.path)) continue;
    spdlog::info("mount-changed root={} at={}", root.config.name, point);
    discover_root(i);
    for (Account* account : accounts_of(i)) {
      if (!decides(point, os::join(root.real_path, account->path))) continue;
      account->work.add_structure(now);
      account->rechecks = account->held && account->hold_code == ErrorCode::mount_gone;
      schedule(*account);
    }
  }
}

}  // namespace maildirsync::agent
