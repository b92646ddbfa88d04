#include "agent/engine/engine.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_tick = 1s;
constexpr auto k_retry_problems = 30s;
constexpr auto k_retry_obstacles = 10min;  // each costs a listing of the destination
constexpr auto k_look_at_unwatched = 10s;
constexpr auto k_look_at_missing_root = 5s;

bool has_other_than_obstacles(const Account& account) {
  return std::any_of(account.problems.begin(), account.problems.end(),
                     [](const auto& problem) { return !tells_of_destination(problem.second.code); });
}

std::shared_ptr<const LinkSettings> shared(const LinkSettings& settings) {
  return std::make_shared<const LinkSettings>(settings);
}

}  // namespace

Engine::Engine(asio::io_context& loop, Parts parts)
    : loop_(loop),
      config_(std::move(parts.config)),
      state_(std::move(parts.state)),
      decisions_(std::move(parts.decisions)),
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
  link_settings_.add_to_greeting = [this](wire::Hello& hello) { greet(hello); };
  begin_pause();
  recall_verify();
  if (auto end = state_->value("receiver_unclean_end"); end && *end)
    unclean_end_ = std::strtoull((*end)->c_str(), nullptr, 10);
  if (auto instance = state_->value("receiver_instance"); instance && *instance) receiver_instance_ = **instance;
  for (const auto& root : config_.roots)
    MAILDIRSYNC_TRY(add_root(root));
  runs_ = true;
  watch();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = config_.transfer.connections != 0 ? config_.transfer.connections : std::min(cores, 8U) + 1;
  for (std::size_t i = 0; i < count; ++i) {
    auto link = std::make_shared<Link>(
        loop_, shared(link_settings_), limiter_,
        Link::Events{
            .greet = [this](wire::Hello& hello) { tell_destinations(hello); },
            .up = [this, i](const wire::Hello& receiver) { link_up(i, receiver); },
            .heartbeat = [this](const wire::Pong& pong) { learn_destinations(pong.destinations()); },
            .down = [this, i](const Error& error, std::vector<Sent> lost) { link_down(i, error, std::move(lost)); },
            .acknowledged = [this](std::vector<Sent> done,
                                   const wire::Ack& ack) { acknowledged(std::move(done), ack); },
            .wrote = [this](std::size_t bytes) { totals_.bytes_wire += bytes; }});
    lanes_.push_back(std::make_unique<Lane>(loop_, *state_, *watcher_, totals_, link,
                                            [this](std::shared_ptr<Turn> turn) { lane_done(std::move(turn)); }));
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
  abort_previews();
  // A lane that waits for an answer is woken by its link's end, which runs on the loop.
  loop_.restart();
  const auto deadline = Clock::now() + 3s;
  const auto is_busy = [this] {
    return verify_ || is_planning() || is_previewing() ||
           std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->turn() != nullptr; });
  };
  while (Clock::now() < deadline && is_busy())
    loop_.run_one_for(20ms);
  plans_.clear();
  mode_changes_.clear();
  for (auto& lane : lanes_)
    lane->stop();
  verify_.reset();
  walkers_.join();
  askers_.join();
  keeper_.join();
  decisions_->stop();
  asio::error_code ignored;
  watch_descriptor_.cancel(ignored);
  mount_descriptor_.cancel(ignored);
}

void Engine::tick() {
  if (stopping_) return;
  const Time now = Clock::now();
  const bool retry = now - last_retry_ > k_retry_problems;
  const bool look_at_unwatched = now - last_look_at_unwatched_ > k_look_at_unwatched;
  const bool retry_obstacles = now - last_retry_of_obstacles_ > k_retry_obstacles;
  if (retry) last_retry_ = now;
  if (retry_obstacles) last_retry_of_obstacles_ = now;
  if (look_at_unwatched) last_look_at_unwatched_ = now;
  for (auto& [id, account] : accounts_) {
    const bool unwatched = account.unwatched > 0 && look_at_unwatched;
    const bool problem = !account.problems.empty() && (retry_obstacles || (retry && has_other_than_obstacles(account)));
    const bool rechecks = account.held && !account.is_gone() && retry;
    if (account.turn || !(account.held ? rechecks : problem || unwatched)) continue;
    account.rechecks = rechecks;
    account.work.structure = true;
    schedule(account);
  }
  for (std::size_t i = 0; i < roots_.size(); ++i)
    ask_for_room(i, false);
  const bool look_at_missing = now.time_since_epoch() / k_tick % (k_look_at_missing_root / k_tick) == 0;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    forget_root_trouble(i);
    const Root& root = roots_[i];
    const bool missing = root.held || !root.directory;
    const bool has_gone = retry && std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& entry) {
                            return entry.second.root == i && entry.second.is_gone();
                          });
    if (root.misses_accounts || has_gone) discover_root(i);
    const bool unwatched = std::any_of(root.problems.begin(), root.problems.end(),
                                       [](const Problem& problem) { return problem.code == ErrorCode::unwatched; });
    if ((missing && look_at_missing) || (unwatched && look_at_unwatched)) discover_root(i);
  }
  if (look_at_missing) look_at_lost_mounts();
  check_some_looks();
  let_removed_accounts_go();
  dispatch();
  check_flushes();
  check_mode_changes();
  check_agreements();
  check_plans();
  measure_first_copy(std::chrono::duration<double>(k_tick).count());
  tick_timer_.expires_after(k_tick);
  tick_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) tick();
  });
}

}  // namespace maildirsync::agent
