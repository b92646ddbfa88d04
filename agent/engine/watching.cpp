#include "agent/engine/watching.h"

#include "common/service/log.h"

namespace maildirsync::agent {

Watching::Watching(asio::io_context& loop, Roster& roster, Watcher& watcher, Walks& walks, Schedule& schedule,
                   Totals& totals)
    : roster_(roster),
      watcher_(watcher),
      walks_(walks),
      schedule_(schedule),
      totals_(totals),
      watch_descriptor_(loop),
      mount_descriptor_(loop) {}

Watching::~Watching() {
  watch_descriptor_.release();  // their owners close them
  mount_descriptor_.release();
}

void Watching::stop() {
  asio::error_code ignored;
  watch_descriptor_.cancel(ignored);
  mount_descriptor_.cancel(ignored);
}

bool Watching::read_all(int most_reads) {
  for (int i = 0; i < most_reads; ++i) {
    const auto taken = watcher_.read();
    for (const auto& event : taken.events)
      take_event(event);
    if (!taken.more) return true;
  }
  return false;
}

void Watching::begin() {
  watch_descriptor_.assign(watcher_.fd());
  wait_for_events();
  if (mounts_.fd() < 0) return;
  mount_descriptor_.assign(mounts_.fd());
  wait_for_mounts();
}

void Watching::wait_for_events() {
  watch_descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error || roster_.stopping) return;
    for (const auto& event : watcher_.read().events)
      take_event(event);
    schedule_.dispatch();
    wait_for_events();
  });
}

void Watching::take_event(const Event& event) {
  if (event.kind == EventKind::overflow) return lost_events();
  if (event.place.part == Part::root) return walk_tree(event.place.owner);
  Account* const found = roster_.find(event.place.owner);
  if (found == nullptr) return;
  Account& account = *found;
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
  schedule_.add(account);
}

/// A directory has one watch, whose owner is the last of the roots that lie over it: what came concerns all of them.
void Watching::walk_tree(std::size_t owner) {
  if (owner >= roster_.roots.size()) return;
  const std::string path = roster_.roots[owner].config.path + '/';
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    const std::string other = roster_.roots[i].config.path + '/';
    if (path.starts_with(other) || other.starts_with(path)) walks_.walk(i);
  }
}

void Watching::lost_events() {
  ++totals_.overflows;
  service::log_warning("watch-overflow backend={} action=\"everything is looked at again\" remedy=\"{}\"",
                       watcher_.backend(), watcher_.overflow_remedy());
  const Time now = Clock::now();
  for (auto& [id, account] : roster_.accounts) {
    account.work.full = true;
    account.work.add_structure(now);
    schedule_.add(account);
  }
  for (std::size_t i = 0; i < roster_.roots.size(); ++i)
    walks_.walk(i);
}

/// Another file system may be at a root, an account or a folder now.
void Watching::wait_for_mounts() {
  mount_descriptor_.async_wait(asio::posix::stream_descriptor::wait_error, [this](const asio::error_code& error) {
    if (error || roster_.stopping) return;
    for (const auto& point : mounts_.changed())
      mount_changed(point);
    schedule_.dispatch();
    wait_for_mounts();
  });
}

void Watching::mount_changed(const std::string& point) {
  const Time now = Clock::now();
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    const Root& root = roster_.roots[i];
    if (root.removed || !decides(point, root.directory ? root.real_path : root.config.path)) continue;
    service::log_info("mount-changed root={} at={}", root.config.name, point);
    walks_.walk(i);
    for (Account* account : roster_.accounts_of(i)) {
      if (!decides(point, os::join(root.real_path, account->path))) continue;
      account->work.add_structure(now);
      account->rechecks = account->held && account->hold_code == ErrorCode::mount_gone;
      schedule_.add(*account);
    }
  }
}

}  // namespace maildirsync::agent
