#include "agent/send/engine.h"

#include <algorithm>
#include <cstdio>
#include <future>
#include <thread>
#include <unordered_set>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "common/maildir/name.h"
#include "common/service/event.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_brake_window = 60s;
constexpr auto k_tick = 1s;
constexpr auto k_retry_problems = 30s;
constexpr auto k_look_at_unwatched = 10s;
constexpr auto k_look_at_missing_root = 5s;
constexpr int k_reads_for_later = 64;

std::shared_ptr<const LinkSettings> shared(const LinkSettings& settings) {
  return std::make_shared<const LinkSettings>(settings);
}

/// A look at the structure does not list what has not changed. So what is a problem is looked at by its name: it is
/// still one, or it is sent.
void look_at_problems(const Account& account, Work& work) {
  for (const auto& [path, problem] : account.problems) {
    if (problem.code == ErrorCode::unwatched) continue;
    auto at = location_of(path);
    if (at.name.empty()) continue;
    auto& dirt = work.folders[at.folder];
    if (!dirt.everything) dirt.names.insert({at.area, std::move(at.name)});
  }
}

bool is_ours(const Root& root, const std::string& account) {
  return maildir::is_included(root.config.include, root.config.exclude, account);
}

}  // namespace

std::uint64_t Account::recently_removed(Time now) {
  while (!removed.empty() && now - removed.front().first > k_brake_window)
    removed.pop_front();
  std::uint64_t count = 0;
  for (const auto& [at, some] : removed)
    count += some;
  return count;
}

Engine::Engine(asio::io_context& loop, Parts parts)
    : loop_(loop),
      config_(std::move(parts.config)),
      state_(std::move(parts.state)),
      watcher_(std::move(parts.watcher.watcher)),
      watcher_reason_(std::move(parts.watcher.reason)),
      link_settings_(std::move(parts.link)),
      compare_all_(parts.compare_all),
      delay_timer_(loop),
      tick_timer_(loop),
      watch_descriptor_(loop),
      mount_descriptor_(loop) {}

Engine::~Engine() {
  stop();
  watch_descriptor_.release();  // their owners close them
  mount_descriptor_.release();
}

Result<> Engine::start() {
  if (auto paused = state_->value("paused"); paused && *paused) paused_ = **paused == "1";
  recall_verify();
  if (auto instance = state_->value("receiver_instance"); instance && *instance) receiver_instance_ = **instance;
  for (const auto& root : config_.roots)
    MAILDIRSYNC_TRY(add_root(root));
  watch();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = config_.transfer.connections != 0 ? config_.transfer.connections : std::min(cores, 8U) + 1;
  for (std::size_t i = 0; i < count; ++i) {
    auto link = std::make_shared<Link>(
        loop_, shared(link_settings_), limiter_,
        Link::Events{
            .up = [this, i](const wire::Hello& receiver) { link_up(i, receiver); },
            .down = [this, i](const Error& error, std::vector<Sent> lost) { link_down(i, error, std::move(lost)); },
            .acknowledged = [this](std::vector<Sent> done,
                                   const wire::Ack& ack) { acknowledged(std::move(done), ack); },
            .wrote = [this](std::size_t bytes) { totals_.bytes_wire += bytes; }});
    lanes_.push_back(std::make_unique<Lane>(loop_, *state_, *watcher_, totals_, link,
                                            [this](std::shared_ptr<Job> job) { lane_done(std::move(job)); }));
    link->start();
  }
  tick();
  return {};
}

void Engine::stop() {
  if (stopping_) return;
  stopping_ = true;
  for (auto& lane : lanes_)
    lane->link().stop();
  abort_verify();
  abort_plans();
  // A lane that waits for an answer is woken by its link's end, which runs on the loop.
  loop_.restart();
  const auto deadline = Clock::now() + 3s;
  const auto is_busy = [this] {
    return verify_ || is_planning() ||
           std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->job() != nullptr; });
  };
  while (Clock::now() < deadline && is_busy())
    loop_.run_one_for(20ms);
  plans_.clear();
  for (auto& lane : lanes_)
    lane->stop();
  verify_.reset();
  walkers_.join();
  keeper_.join();
  asio::error_code ignored;
  watch_descriptor_.cancel(ignored);
  mount_descriptor_.cancel(ignored);
}

Result<> Engine::add_root(const config::AgentRoot& config) {
  auto layout = maildir::Layout::parse(config.accounts);
  if (!layout) return Failure(layout.error());
  Root root{.config = config, .layout = std::move(*layout), .directory = nullptr, .mode = config.mode};
  const auto mirrors_again = begin_mode(root);
  if (!mirrors_again) return Failure(mirrors_again.error());
  roots_.push_back(std::move(root));
  const std::size_t index = roots_.size() - 1;
  auto rows = state_->accounts(config.name);
  if (!rows) return Failure(rows.error());
  for (const auto& row : *rows) {
    const auto name = roots_[index].layout.account_name(row.path);
    Account account;
    account.id = row.id;
    account.root = index;
    account.path = row.path;
    account.name = name.value_or(row.path);
    account.complete = row.complete;
    account.folders = row.folders;
    account.messages = row.messages;
    account.bytes = row.bytes;
    account.work.compare = compare_all_ || !row.complete || *mirrors_again;
    account.awaits_discovery = true;
    accounts_.emplace(row.id, std::move(account));
  }
  if (auto uncertain = state_->accounts_with_intents()) {
    for (const AccountId id : *uncertain) {
      if (const auto found = accounts_.find(id); found != accounts_.end()) found->second.work.compare = true;
    }
  }
  discover_root(index);
  return {};
}

// ---- accounts ----

void Engine::discover_root(std::size_t index) {
  Root& root = roots_[index];
  if (root.removed || stopping_) return;
  if (root.discovering) {
    root.discover_again = true;
    return;
  }
  root.discovering = true;
  asio::post(walkers_, [this, index, config = root.config, layout = root.layout] {
    auto found = std::make_shared<Discovery>(discover(config, static_cast<std::uint32_t>(index), layout, *watcher_));
    asio::post(loop_, [this, index, found] { discovered(index, std::move(*found)); });
  });
}

std::vector<std::uint64_t> Engine::walk_roots() {
  std::vector<std::uint64_t> discoveries;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    // A walk that is under way may have passed the place already: the next one counts.
    discoveries.push_back(roots_[i].discoveries + (roots_[i].discovering ? 2 : 1));
    discover_root(i);
  }
  return discoveries;
}

bool Engine::have_walked(const std::vector<std::uint64_t>& discoveries) const {
  bool walked = true;
  for (std::size_t i = 0; i < discoveries.size() && i < roots_.size(); ++i)
    walked &= roots_[i].removed || roots_[i].discoveries >= discoveries[i];
  return walked;
}

std::vector<Account*> Engine::accounts_of(std::size_t root) {
  std::vector<Account*> found;
  for (auto& [id, account] : accounts_) {
    if (account.root == root) found.push_back(&account);
  }
  return found;
}

/// An unmounted or emptied root must not look like mail that people deleted.
bool Engine::must_hold(Root& root, const Discovery& discovery, std::size_t vanished) {
  const std::size_t known = accounts_of(static_cast<std::size_t>(&root - roots_.data())).size();
  std::string reason;
  if (!discovery.directory) {
    reason = "the root cannot be opened (" + discovery.error.message() + ")";
  } else if (known > 0 && discovery.accounts.empty()) {
    reason = "the root " + root.config.path + " is empty where there were " + std::to_string(known) + " accounts";
  } else if (root.mode == config::Mode::mirror && vanished >= 10 && vanished * 4 > known) {
    reason = std::to_string(vanished) + " of " + std::to_string(known) + " accounts of the root are gone at once";
  }
  const bool hold = !reason.empty() && !(root.released && discovery.directory);
  if (hold && !root.held) spdlog::warn("root-held root={} reason=\"{}\"", root.config.name, reason);
  if (!hold && root.held) spdlog::info("root-resumed root={}", root.config.name);
  root.held = hold;
  root.hold_reason = hold ? reason +
                                "; nothing is deleted at the destination. Is it mounted? If it is meant to be so: "
                                "maildirsync release"
                          : "";
  return hold;
}

/// After a reload: no longer ours to mirror. What was copied stays, and so does what the state knows of it.
void Engine::drop_excluded(std::size_t index) {
  for (const Account* account : accounts_of(index)) {
    if (is_ours(roots_[index], account->name)) continue;
    spdlog::info("account-excluded root={} account={}", roots_[index].config.name, account->name);
    drop_account(account->id);
  }
}

void Engine::discovered(std::size_t index, Discovery discovery) {
  if (stopping_) return;
  Root& root = roots_[index];
  root.discovering = false;
  ++root.discoveries;
  const bool is_another = root.directory && discovery.directory && root.identity != discovery.identity;
  root.directory = discovery.directory;
  root.identity = discovery.identity;
  root.real_path = std::move(discovery.real_path);
  root.problems.clear();
  for (const auto& link : discovery.links) {
    root.problems.push_back(
        {ErrorCode::special_file, link, "a symbolic link where an account would be; it is not followed"});
  }
  for (const auto& error : discovery.problems)
    root.problems.push_back({error.code, error.path, error.message()});
  std::unordered_map<std::string, const Discovery::Found*> found;
  for (const auto& account : discovery.accounts)
    found.emplace(account.path, &account);
  drop_excluded(index);
  const auto known = accounts_of(index);
  const auto vanished = static_cast<std::size_t>(
      std::count_if(known.begin(), known.end(), [&](const Account* a) { return !found.contains(a->path); }));
  if (!must_hold(root, discovery, vanished)) {
    root.discovered = true;
    root.released = false;
    for (Account* account : known) {
      if (!found.contains(account->path)) {
        // A turn that found the account gone before this was known waits for this answer as well.
        const bool knows = account->gone_confirmed && !account->awaits_discovery;
        if (!discovery.whole || knows || account->held) continue;
        account->gone_confirmed = true;
        account->awaits_discovery = false;
        account->work.structure = true;
        delay(*account, 1s);
        continue;
      }
      if (account->awaits_discovery || account->gone_confirmed || is_another) {
        account->gone_confirmed = false;
        account->awaits_discovery = false;
        account->work.structure = true;
      }
      schedule(*account);  // also what waited while the root was held
    }
    std::unordered_map<std::string, bool> have;
    for (const Account* account : known)
      have.emplace(account->path, true);
    for (const auto& account : discovery.accounts) {
      if (have.contains(account.path) || !is_ours(root, account.name)) continue;
      if (Account* added = add_account(index, account.path, account.name)) schedule(*added);
    }
  }
  if (root.discover_again) {
    root.discover_again = false;
    discover_root(index);
  }
  dispatch();
  check_flushes();
  check_plans();
}

Account* Engine::add_account(std::size_t root, const std::string& path, const std::string& name) {
  auto id = state_->account(roots_[root].config.name, path);
  if (!id) {
    keeper_failed(id.error());
    return nullptr;
  }
  Account account;
  account.id = *id;
  account.root = root;
  account.path = path;
  account.name = name;
  account.work.structure = true;
  account.work.compare = true;
  service::log_event(
      {service::Severity::info, "account-started", {{"root", roots_[root].config.name}, {"account", name}}});
  const bool after_first_look = roots_[root].discoveries > 1;
  if (after_first_look) account.work.oldest = Clock::now();
  return &accounts_.insert_or_assign(*id, std::move(account)).first->second;
}

void Engine::drop_account(AccountId id) {
  watcher_->forget_account(id);
  accounts_.erase(id);
}

// ---- turns ----

void Engine::schedule(Account& account) {
  const Root& root = roots_[account.root];
  if (account.queued || account.job || account.held || account.awaits_discovery || account.work.empty() || root.held ||
      root.removed || !root.directory || stopping_) {
    return;
  }
  const Time now = Clock::now();
  if (account.not_before > now) {
    delayed_.emplace(account.not_before, account.id);
    arm_delay_timer();
    return;
  }
  account.queued = true;
  const Work& work = account.work;
  const bool live = account.complete && !work.structure && !work.full && !work.compare;
  (live ? live_ : bulk_).push_back(account.id);
}

void Engine::schedule_all() {
  for (auto& [id, account] : accounts_)
    schedule(account);
  dispatch();
}

void Engine::delay(Account& account, Clock::duration by) {
  account.not_before = Clock::now() + by;
  schedule(account);
}

void Engine::arm_delay_timer() {
  if (delayed_.empty() || stopping_) return;
  delay_timer_.expires_at(delayed_.begin()->first);
  delay_timer_.async_wait([this](const asio::error_code& error) {
    if (error || stopping_) return;
    const Time now = Clock::now();
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      const AccountId id = delayed_.begin()->second;
      delayed_.erase(delayed_.begin());
      if (const auto found = accounts_.find(id); found != accounts_.end()) schedule(found->second);
    }
    arm_delay_timer();
    dispatch();
  });
}

Account* Engine::next_account(bool live_only) {
  for (auto* queue : {&live_, &bulk_}) {
    if (queue == &bulk_ && live_only) return nullptr;
    while (!queue->empty()) {
      const auto found = accounts_.find(queue->front());
      queue->pop_front();
      if (found == accounts_.end()) continue;
      found->second.queued = false;
      const Root& root = roots_[found->second.root];
      if (found->second.held || found->second.job || root.held || root.removed) continue;
      return &found->second;
    }
  }
  return nullptr;
}

/// The first lane is kept for live changes, so that no first copy stands before them.
void Engine::dispatch() {
  if (paused_ || stopping_) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    if (!lane.link().is_up() || lane.job()) continue;
    Account* account = next_account(i == 0 && lanes_.size() > 1);
    if (account != nullptr) give(lane, *account);
  }
}

/// What the watcher has until now, and of it the messages of one account; the rest stays for its next turn.
std::optional<Work> Engine::take_later_messages(AccountId id) {
  bool more = true;
  for (int i = 0; more; ++i) {
    if (i == k_reads_for_later) return std::nullopt;  // it fills as fast as it is read
    auto taken = watcher_->read();
    for (const auto& event : taken.events)
      take_event(event);
    more = taken.more;
  }
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return std::nullopt;
  Work& work = found->second.work;
  if (work.structure || work.full || work.compare) return std::nullopt;
  Work taken;
  for (auto& [path, dirt] : work.folders) {
    if (dirt.everything) return std::nullopt;
    for (const auto& name : dirt.names) {
      if (name.area != sync::Area::folder) taken.folders[path].names.insert(name);
    }
  }
  for (const auto& [path, dirt] : taken.folders) {
    auto& left = work.folders[path].names;
    for (const auto& name : dirt.names)
      left.erase(name);
    if (left.empty()) work.folders.erase(path);
  }
  if (work.empty()) work.oldest.reset();  // what was taken is younger than what the turn began with
  return taken;
}

/// Called by a lane; waits for the loop, but not for one that is ending.
std::optional<Work> Engine::ask_for_later_messages(AccountId id) {
  auto promise = std::make_shared<std::promise<std::optional<Work>>>();
  auto answer = promise->get_future();
  asio::post(loop_, [this, id, promise] { promise->set_value(take_later_messages(id)); });
  return answer.wait_for(2s) == std::future_status::ready ? answer.get() : std::nullopt;
}

void Engine::give(Lane& lane, Account& account) {
  const Root& root = roots_[account.root];
  auto job = std::make_shared<Job>();
  job->order = {.account = account.id,
                .root_name = root.config.name,
                .account_path = account.path,
                .account_name = account.name,
                .root = root.directory,
                .mode = root.mode,
                .work = std::exchange(account.work, {}),
                .released = account.released,
                .gone_confirmed = account.gone_confirmed,
                .recently_removed = account.recently_removed(Clock::now()),
                .generation = 0};
  if (Work& work = job->order.work; work.structure || work.full || work.compare) look_at_problems(account, work);
  job->order.later = [this, id = account.id] { return ask_for_later_messages(id); };
  if (job->order.work.structure || job->order.work.full) job->order.generation = account.wanted_generation;
  account.job = job;
  Link& live = lanes_.front()->link();
  lane.give(std::move(job), config_.transfer, (live.is_up() ? live : lane.link()).shared_from_this());
}

// ---- answers ----

void Engine::link_up(std::size_t lane, const wire::Hello& receiver) {
  if (link_error_ || lane == 0) {
    spdlog::info("connected lane={} receiver={} software=\"{}\" fingerprint={}", lane, config_.receiver.text(),
                 receiver.software(), link_settings_.receiver_fingerprint);
  }
  link_error_.reset();
  ++connections_made_;
  if (receiver.instance() != receiver_instance_) {
    // Another state directory there: another history. What it holds must be asked.
    if (!receiver_instance_.empty()) {
      spdlog::warn("receiver-changed action=\"every account is compared with what it holds\"");
      for (auto& [id, account] : accounts_) {
        account.complete = false;
        account.work.compare = true;
        account.work.structure = true;
        schedule(account);
      }
    }
    receiver_instance_ = receiver.instance();
    if (const auto stored = state_->set_value("receiver_instance", receiver_instance_); !stored) {
      keeper_failed(stored.error());
    }
  }
  asio::post(loop_, [this] {
    dispatch();
    check_plans();
  });
}

void Engine::link_down(std::size_t lane, const Error& error, std::vector<Sent> lost) {
  if (stopping_) return;
  if (!link_error_ || link_error_->detail != error.detail) {
    spdlog::warn("disconnected lane={} receiver={} code={} reason=\"{}\"", lane, config_.receiver.text(),
                 to_string(error.code), error.message());
  }
  link_error_ = error;
  std::vector<std::shared_ptr<Job>> jobs;
  for (auto& sent : lost) {
    if (!sent.job->lost) jobs.push_back(sent.job);
    sent.job->lost = true;
  }
  for (const auto& job : jobs)
    finish_if_answered(job);
}

void Engine::acknowledged(std::vector<Sent> done, const wire::Ack& ack) {
  std::unordered_map<std::uint64_t, const wire::Ack::Failed*> failed;
  for (const auto& failure : ack.failed())
    failed.emplace(failure.sequence(), &failure);
  std::unordered_map<std::uint64_t, const wire::Ack::Renamed*> renamed;
  for (const auto& rename : ack.renamed())
    renamed.emplace(rename.sequence(), &rename);
  std::unordered_map<std::uint64_t, std::uint32_t> lesser_modes;
  for (const auto& lesser : ack.lesser_modes())
    lesser_modes.emplace(lesser.sequence(), lesser.mode());
  const std::unordered_set<std::uint64_t> indexed(ack.indexed().begin(), ack.indexed().end());
  for (std::size_t i = 0; i < done.size();) {
    const auto job = done[i].job;
    std::vector<sync::Operation> applied;
    for (; i < done.size() && done[i].job == job; ++i) {
      auto& operation = done[i].operation;
      ++job->acknowledged;
      if (operation.kind == sync::OperationKind::put) {
        --job->pending_messages;
        job->pending_bytes -= std::min<std::uint64_t>(job->pending_bytes, operation.result.size);
      }
      if (const auto refusal = failed.find(done[i].sequence); refusal != failed.end()) {
        refused(*job, operation, *refusal->second);
        continue;
      }
      if (const auto rename = renamed.find(done[i].sequence); rename != renamed.end()) {
        ++totals_.conflicts;
        job->refused.push_back({ErrorCode::conflict, path_of(operation.to), rename->second->detail()});
        const auto alias = std::string(maildir::base_of(rename->second->name()));
        const auto base = std::string(sync::base_name(operation.result));
        asio::post(keeper_, [this, id = job->order.account, folder = operation.to.folder, base, alias] {
          if (const auto set = state_->set_alias(id, folder, base, alias); !set) keeper_failed(set.error());
        });
      }
      if (const auto lesser = lesser_modes.find(done[i].sequence); lesser != lesser_modes.end()) {
        has_lesser_mode(*job, operation, lesser->second);
      }
      if (indexed.contains(done[i].sequence)) job->indexed.insert(operation.to.folder);
      applied.push_back(std::move(operation));
    }
    keep(job->order.account, std::move(applied));
    finish_if_answered(job);
  }
}

/// The state takes down the mode that the file has there, and no inode, for a listing believes what it knows of an
/// inode: so each look asks for the source's mode again, and hears again that it can't be had.
void Engine::has_lesser_mode(Job& job, sync::Operation& operation, std::uint32_t mode) {
  char sentence[200];
  std::snprintf(
      sentence, sizeof sentence,
      "arrived, but with mode %04o instead of %04o: the receiver may not set the set-group-ID bit of a file that "
      "is executable; chmod g-s it here, or give the receiver CAP_FSETID",
      mode, operation.result.attributes.mode);
  job.refused.push_back({ErrorCode::permission, path_of(operation.to), sentence});
  job.failed_folders.insert(operation.to.folder);
  operation.result.attributes.mode = mode;
  operation.result.inode = 0;
}

/// What waits for the keeper goes into the state together: a transaction costs as much as many operations. But not too
/// many, for lanes wait while it lasts.
void Engine::keep(AccountId id, std::vector<sync::Operation> applied) {
  constexpr std::size_t k_together = 1000;
  if (applied.empty()) return;
  const std::lock_guard lock(unkept_mutex_);
  const bool is_on_its_way = !unkept_.empty();
  const auto last = std::find_if(unkept_.rbegin(), unkept_.rend(), [&](const auto& one) { return one.first == id; });
  if (last != unkept_.rend() && last->second.size() < k_together) {
    std::move(applied.begin(), applied.end(), std::back_inserter(last->second));
  } else {
    unkept_.emplace_back(id, std::move(applied));
  }
  if (is_on_its_way) return;
  asio::post(keeper_, [this] {
    decltype(unkept_) taken;
    {
      const std::lock_guard taking(unkept_mutex_);
      std::swap(taken, unkept_);
    }
    for (const auto& [account, operations] : taken) {
      if (const auto stored = state_->apply(account, operations); !stored) keeper_failed(stored.error());
    }
  });
}

void Engine::refused(Job& job, const sync::Operation& operation, const wire::Ack::Failed& failed) {
  const bool takes_away =
      operation.kind == sync::OperationKind::remove || operation.kind == sync::OperationKind::remove_folder;
  const sync::Location& at = takes_away ? operation.from : operation.to;
  const auto code = static_cast<ErrorCode>(failed.code());
  job.failed_folders.insert(at.folder);
  std::erase_if(job.report.signatures, [&](const auto& signature) { return signature.first == at; });
  spdlog::debug("refused account={} path={} code={} detail=\"{}\"", job.order.account_name, path_of(at),
                to_string(code), failed.detail());
  switch (code) {
    case ErrorCode::postponed:
    case ErrorCode::changed_while_read:
      job.retry = true;
      return;
    case ErrorCode::unexpected:
      job.wants_comparison = job.retry = true;
      return;
    case ErrorCode::basis_mismatch:
      job.retry = true;
      asio::post(keeper_, [this, id = job.order.account, at] {
        if (const auto dropped = state_->drop_signature(id, at); !dropped) keeper_failed(dropped.error());
      });
      return;
    case ErrorCode::no_space:
    case ErrorCode::root_gone:
    case ErrorCode::io:
      job.retry = true;
      break;
    default:
      break;
  }
  job.refused.push_back({code, path_of(at), failed.detail()});
}

void Engine::lane_done(std::shared_ptr<Job> job) {
  job->lane_done = true;
  if (job->report.end == JobEnd::lost_link) job->lost = true;
  finish_if_answered(job);
  dispatch();
}

void Engine::finish_if_answered(const std::shared_ptr<Job>& job) {
  if (!job->lane_done || job->finishing) return;
  if (job->lost || job->acknowledged >= job->report.operations) finish(job);
}

/// Writes the end of a turn to the state, after all its operations.
void Engine::finish(const std::shared_ptr<Job>& job) {
  job->finishing = true;
  for (const auto& folder : job->failed_folders)
    job->report.stamps.erase(folder);
  // What waits for the next turn is only in memory: after a crash nobody knows of it, so the folder must be listed
  // then.
  for (const auto& [folder, dirt] : job->report.again.folders)
    job->report.stamps.erase(folder);
  if (job->lost || job->retry || job->report.end != JobEnd::sent) job->report.stamps.clear();
  asio::post(keeper_, [this, job] {
    const AccountId id = job->order.account;
    const auto& report = job->report;
    const auto note = [this](const Result<>& result) {
      if (!result) keeper_failed(result.error());
    };
    for (const auto& [at, signature] : report.signatures) {
      if (!job->lost) note(state_->set_signature(id, at, signature));
    }
    if (!report.stamps.empty()) note(state_->set_stamps(id, report.stamps));
    // An intent of a turn that was cut off stays: it says what may be there of ours.
    if (report.intent && !job->lost) note(state_->end_job(*report.intent));
    const bool first_pass_done = report.structure && report.end == JobEnd::sent && !job->lost && !job->retry;
    if (first_pass_done && report.account_gone && job->refused.empty()) {
      note(state_->forget_account(id));
    } else if (first_pass_done) {
      note(state_->set_complete(id, true));
    }
    auto row = std::make_shared<Result<State::AccountRow>>(state_->account_row(id));
    asio::post(loop_, [this, job, row] { finished(job, *row); });
  });
}

void Engine::finished(const std::shared_ptr<Job>& job, const Result<State::AccountRow>& row) {
  const auto found = accounts_.find(job->order.account);
  if (found == accounts_.end() || found->second.job != job) return;
  Account& account = found->second;
  const JobReport& report = job->report;
  account.job.reset();
  const bool sent = report.end == JobEnd::sent && !job->lost;
  if (row) {
    if (row->complete && !account.complete) {
      service::log_event({service::Severity::info,
                          "account-copied",
                          {{"root", job->order.root_name},
                           {"account", account.name},
                           {"folders", std::to_string(row->folders)},
                           {"messages", std::to_string(row->messages)},
                           {"bytes", std::to_string(row->bytes)}}});
    }
    account.complete = row->complete;
    account.folders = row->folders;
    account.messages = row->messages;
    account.bytes = row->bytes;
  }
  if (sent && report.account_gone && job->refused.empty() && !job->retry) {
    service::log_event(
        {service::Severity::info, "account-removed", {{"root", job->order.root_name}, {"account", account.name}}});
    const std::size_t root = account.root;
    drop_account(job->order.account);
    discover_root(root);  // it may have been made again meanwhile
    check_flushes();
    return;
  }
  if (sent && report.messages_removed > 0) account.removed.emplace_back(Clock::now(), report.messages_removed);
  if (sent) account.released = false;
  settle_problems(account, *job);
  plan_next(account, *job);
  schedule(account);
  dispatch();
  check_flushes();
  check_mode_changes();
}

void Engine::settle_problems(Account& account, const Job& job) {
  const JobReport& report = job.report;
  if (report.compared && (report.end == JobEnd::sent || job.order.work.reindex)) account.indexed.clear();
  note_indexed(account, {report.indexed.begin(), report.indexed.end()});
  note_indexed(account, {job.indexed.begin(), job.indexed.end()});
  if (job.lost) return;
  const auto before = account.problems;
  if (report.structure) {
    account.problems.clear();
    account.unwatched = report.unwatched;
    if (report.compared) account.extra = report.extra;
  } else {
    for (const auto& [folder, dirt] : job.order.work.folders) {
      for (const auto& name : dirt.names)
        account.problems.erase(sync::path_of({folder, name.area, name.name}));
    }
  }
  for (const auto* list : {&report.problems, &job.refused}) {
    for (const auto& problem : *list) {
      const auto known = before.find(problem.path);
      account.problems[problem.path] = problem;
      if (known == before.end() || known->second.code != problem.code) {  // said once, not at each retry
        service::log_event({service::Severity::warning,
                            "problem",
                            {{"code", std::string(to_string(problem.code))},
                             {"root", job.order.root_name},
                             {"account", account.name},
                             {"folder", location_of(problem.path).folder},
                             {"path", problem.path},
                             {"detail", problem.detail}}});
      }
    }
  }
}

/// What the account's next turn is to look at, and when.
void Engine::plan_next(Account& account, const Job& job) {
  const JobReport& report = job.report;
  const bool verifies = job.order.generation > account.verified_generation;
  account.work.merge(report.again);
  if (job.lost || job.retry || report.end == JobEnd::failed) account.work.merge(report.later);
  if (job.lost) {
    account.work.merge(job.order.work);
    account.work.compare = account.work.structure = true;
  }
  if (job.wants_comparison) account.work.compare = true;
  if (job.retry) {
    account.work.structure = true;
    // A change in place leaves no trace in the stamps: only its event tells of it.
    Work named;
    named.folders = job.order.work.folders;
    account.work.merge(named);
    if (job.order.work.oldest) account.work.changed_at(*job.order.work.oldest);
  }
  if (report.end == JobEnd::failed) account.work.structure = true;
  if (report.end == JobEnd::held) {
    account.held = true;
    account.hold_reason =
        std::to_string(report.messages_removed) + " of " + std::to_string(report.account_messages) +
        " messages would be deleted at once; the account is held, and nothing of it is deleted at the "
        "destination. If that is meant: maildirsync release --account '" +
        account.name + "'";
    service::log_event({service::Severity::warning,
                        "account-held",
                        {{"root", job.order.root_name},
                         {"account", account.name},
                         {"removed", std::to_string(report.messages_removed)},
                         {"messages", std::to_string(report.account_messages)}}});
    return;
  }
  if (report.end == JobEnd::gone) {
    account.work.merge(job.order.work);
    account.awaits_discovery = true;
    discover_root(account.root);
    return;
  }
  const bool clean = report.end == JobEnd::sent && !job.lost && !job.retry && report.again.empty();
  if (clean) {
    account.failures = 0;
    if (job.order.generation != 0)
      account.verified_generation = std::max(account.verified_generation, job.order.generation);
    return;
  }
  if (verifies) {
    account.work.structure = true;
    // A flush names what the destination refuses (a full disk) rather than wait for ever.
    if (job.retry && !job.refused.empty()) account.verified_generation = job.order.generation;
  }
  if (report.removals_wait) {
    account.work.settled = true;
    account.not_before = Clock::now() + 250ms;
  } else {
    const unsigned failures = std::min(account.failures++, 10U);
    const bool failed = job.retry || report.end == JobEnd::failed;
    // Files that come and go while they are read are no failure: people wait for the others.
    const auto step = job.lost ? 0ms : failed ? 200ms : 10ms;
    account.not_before = Clock::now() + std::min<Clock::duration>(step * (1U << failures), failed ? 30s : 500ms);
  }
}

void Engine::keeper_failed(const Error& error) {
  spdlog::error("state-failed detail=\"{}\"", error.message());
  asio::post(loop_, [this, error] { state_error_ = error; });
}

// ---- once a second ----

void Engine::tick() {
  if (stopping_) return;
  const Time now = Clock::now();
  const bool retry = now - last_retry_ > k_retry_problems;
  const bool look_at_unwatched = now - last_look_at_unwatched_ > k_look_at_unwatched;
  if (retry) last_retry_ = now;
  if (look_at_unwatched) last_look_at_unwatched_ = now;
  for (auto& [id, account] : accounts_) {
    const bool unwatched = account.unwatched > 0 && look_at_unwatched;
    if (account.job || account.held || !((retry && !account.problems.empty()) || unwatched)) continue;
    account.work.structure = true;
    schedule(account);
  }
  const bool look_at_missing = now.time_since_epoch() / k_tick % (k_look_at_missing_root / k_tick) == 0;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    const Root& root = roots_[i];
    const bool missing = root.held || !root.directory;
    const bool unwatched = std::any_of(root.problems.begin(), root.problems.end(),
                                       [](const Problem& problem) { return problem.code == ErrorCode::unwatched; });
    if ((missing && look_at_missing) || (unwatched && look_at_unwatched)) discover_root(i);
  }
  dispatch();
  check_flushes();
  check_mode_changes();
  check_plans();
  measure_first_copy(std::chrono::duration<double>(k_tick).count());
  tick_timer_.expires_after(k_tick);
  tick_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) tick();
  });
}

}  // namespace maildirsync::agent
