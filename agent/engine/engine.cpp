#include "agent/engine/engine.h"

#include <algorithm>
#include <ctime>
#include <thread>
#include <utility>

#include <asio/post.hpp>

#include "common/service/log.h"

namespace maildirsync::agent {

namespace {

using namespace std::chrono_literals;

constexpr auto k_tick = 1s;
constexpr auto k_retry_problems = 30s;
constexpr auto k_retry_obstacles = 10min;  // each costs a listing of the destination
constexpr auto k_look_at_unwatched = 10s;
constexpr auto k_look_at_missing_root = 5s;
constexpr auto k_longest_end = 3s;
constexpr std::size_t k_most_lanes = 64;  // the receiver takes some more connections of one agent

bool has_other_than_obstacles(const Account& account) {
  return std::any_of(account.problems.begin(), account.problems.end(),
                     [](const auto& problem) { return !tells_of_destination(problem.second.code); });
}

bool is_unwatched(const Root& root) {
  return std::any_of(root.problems.begin(), root.problems.end(),
                     [](const Problem& problem) { return problem.code == ErrorCode::unwatched; });
}

}  // namespace

Engine::Engine(asio::io_context& loop, Given given)
    : loop_(loop),
      config_(std::move(given.config)),
      state_(std::move(given.state)),
      watcher_(std::move(given.watcher.watcher)),
      watcher_reason_(std::move(given.watcher.reason)),
      compare_all_(given.compare_all),
      own_place_(loop, config_.state_dir,
                 [this] {
                   if (const auto link = lanes_.up()) link->ping();
                 }),
      keeper_(loop, *state_, [this](AccountId id) { checks_.compare(id); }),
      lanes_(std::move(given.link)),
      schedule_(loop, roster_, lanes_),
      stalls_(roster_, lanes_, schedule_),
      holds_(roster_, keeper_),
      mount_holds_(roster_, *state_, keeper_, holds_),
      unclean_ends_(roster_, keeper_, schedule_),
      walks_({.loop = loop,
              .threads = threads_,
              .roster = roster_,
              .state = *state_,
              .watcher = *watcher_,
              .keeper = keeper_,
              .holds = holds_,
              .mounts = mount_holds_,
              .schedule = schedule_,
              .unclean_ends = unclean_ends_,
              .agreements = agreements_,
              .overlaps = overlaps_,
              .changed = [this] { client_->changed(); }}),
      watching_(loop, roster_, *watcher_, walks_, schedule_, totals_),
      agreements_({.loop = loop,
                   .roster = roster_,
                   .state = *state_,
                   .decisions = std::move(given.decisions),
                   .keeper = keeper_,
                   .lanes = lanes_,
                   .schedule = schedule_,
                   .changed = [this] { client_->changed(); }}),
      overlaps_({.loop = loop,
                 .askers = threads_,
                 .roster = roster_,
                 .keeper = keeper_,
                 .lanes = lanes_,
                 .schedule = schedule_,
                 .walk = [this](std::size_t root) { walks_.walk(root); },
                 .learn = [this](const wire::Destination& told) { destinations_.learn(told); }}),
      destinations_(loop, threads_, roster_, *state_, keeper_, lanes_, schedule_, overlaps_),
      checks_(loop, roster_, *state_, lanes_, schedule_, destinations_),
      rooms_(loop, threads_, roster_, lanes_, schedule_, [this] { client_->changed(); }),
      ends_({.loop = loop,
             .roster = roster_,
             .keeper = keeper_,
             .holds = holds_,
             .walks = walks_,
             .rooms = rooms_,
             .destinations = destinations_,
             .agreements = agreements_,
             .unclean_ends = unclean_ends_,
             .schedule = schedule_,
             .changed = [this] { client_->changed(); }}),
      acknowledgements_({.roster = roster_,
                         .keeper = keeper_,
                         .rooms = rooms_,
                         .destinations = destinations_,
                         .agreements = agreements_,
                         .unclean_ends = unclean_ends_,
                         .ends = ends_,
                         .totals = totals_}),
      releases_(roster_, holds_, walks_, agreements_, destinations_, schedule_),
      orders_(loop, roster_, lanes_, holds_, agreements_, watching_),
      tick_timer_(loop) {
  lanes_.set_greeting([this](wire::Hello& hello) {
    agreements_.greet(hello);
    own_place_.tell(hello);
    client_->greet(hello);
  });
  lanes_.set_ping([this](wire::Ping& ping) { own_place_.tell(ping); });
  schedule_.begin([this](Account& account) { return orders_.make(account); },
                  [this]() -> const config::Transfer& { return config_.transfer; });
}

Engine::~Engine() {
  stop();
}

Parts Engine::parts() {
  return {.loop = loop_,
          .config = config_,
          .configuration = configuration_,
          .totals = totals_,
          .watcher_reason = watcher_reason_,
          .state = *state_,
          .watcher = *watcher_,
          .roster = roster_,
          .keeper = keeper_,
          .lanes = lanes_,
          .limiter = limiter_,
          .schedule = schedule_,
          .holds = holds_,
          .walks = walks_,
          .watching = watching_,
          .agreements = agreements_,
          .destinations = destinations_,
          .checks = checks_,
          .rooms = rooms_,
          .releases = releases_};
}

Result<> Engine::start(EngineClient& client) {
  client_ = &client;
  agreements_.begin_pause();
  unclean_ends_.recall(*state_);
  if (auto instance = state_->value("receiver_instance"); instance && *instance) receiver_instance_ = **instance;
  for (const auto& root : config_.roots)
    MAILDIRSYNC_TRY(add_root(root, Agreements::When::at_start));
  watching_.begin();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = config_.transfer.connections != 0 ? config_.transfer.connections : std::min(cores, 8U) + 1;
  lanes_.set_regular(count);
  follow_timetable();
  while (lanes_.size() < count)
    add_lane();
  tick();
  return {};
}

void Engine::add_lane() {
  const std::size_t index = lanes_.size();
  auto link = std::make_shared<Link>(
      loop_, lanes_.shared_settings(), limiter_,
      Link::Events{
          .greet = [this](wire::Hello& hello) { destinations_.greet(hello); },
          .up = [this, index](const wire::Hello& receiver) { link_up(index, receiver); },
          .heartbeat =
              [this](const wire::Pong& pong) {
                destinations_.learn(pong.destinations());
                own_place_.take(pong.lease());
              },
          .down = [this, index](const Error& error, const std::vector<Sent>& lost) { link_down(index, error, lost); },
          .acknowledged = [this](std::vector<Sent> done,
                                 const wire::Ack& ack) { acknowledgements_.acknowledged(std::move(done), ack); },
          .wrote = [this](std::size_t bytes) { totals_.bytes_wire += bytes; }});
  lanes_.add(std::make_unique<Lane>(loop_, *state_, *watcher_, totals_, link,
                                    [this](const std::shared_ptr<Turn>& turn) { ends_.lane_done(turn); }));
  link->start();
}

/// A lane cannot be taken out of a call that does not return.
void Engine::take_place_of_hanging_lanes() {
  while (lanes_.size() - lanes_.hanging() < lanes_.regular() && lanes_.size() < k_most_lanes)
    add_lane();
}

void Engine::stop() {
  if (std::exchange(roster_.stopping, true)) return;
  lanes_.stop_links();
  if (client_ != nullptr) client_->cancel();
  // A lane that waits for an answer is woken by its link's end, which runs on the loop.
  loop_.restart();
  const auto deadline = Clock::now() + k_longest_end;
  const auto is_busy = [this] {
    return (client_ != nullptr && client_->is_busy()) || lanes_.has_turn([](const Turn&) { return true; });
  };
  while (Clock::now() < deadline && is_busy())
    loop_.run_one_for(20ms);
  lanes_.stop();
  threads_.stop();
  checks_.stop();
  keeper_.stop();
  agreements_.decisions().stop();
  watching_.stop();
}

// ---- the connections ----

void Engine::link_up(std::size_t lane, const wire::Hello& receiver) {
  if (lanes_.error() || lane == 0) {
    service::log_info("connected lane={} receiver={} software=\"{}\" fingerprint={}", lane, config_.receiver.text(),
                      receiver.software(), lanes_.settings().receiver_fingerprint);
  }
  lanes_.set_error(std::nullopt);
  lanes_.heard(receiver);
  own_place_.take(receiver.lease());
  agreements_.heard(receiver);
  client_->heard(receiver);
  meet(receiver);
  if (receiver.has_unclean_end()) unclean_ends_.look_again(receiver.unclean_end());
  overlaps_.is_connected(receiver);
  destinations_.learn(receiver.destinations());
  asio::post(loop_, [this, is_first = !lanes_.is_connected()] {
    if (is_first) {
      destinations_.is_connected();
      checks_.check_all();
    }
    overlaps_.check();
    client_->changed();
    schedule_.dispatch();
  });
}

/// Another state directory there: another history. What it holds must be asked.
void Engine::meet(const wire::Hello& receiver) {
  if (receiver.instance() == receiver_instance_) return;
  if (!receiver_instance_.empty()) {
    service::log_warning("receiver-changed action=\"every account is compared with what it holds\"");
    for (const auto& root : roster_.roots)
      destinations_.compare_all_accounts(root);
  }
  receiver_instance_ = receiver.instance();
  unclean_ends_.forget();
  keeper_.set_value("receiver_instance", receiver_instance_);
}

void Engine::link_down(std::size_t lane, const Error& error, const std::vector<Sent>& lost) {
  if (roster_.stopping) return;
  if (!lanes_.error() || lanes_.error()->detail != error.detail) {
    service::log_warning("disconnected lane={} receiver={} code={} reason=\"{}\"", lane, config_.receiver.text(),
                         to_string(error.code), error.message());
  }
  lanes_.set_error(error);
  acknowledgements_.lost(lost);
}

// ---- each second ----

void Engine::tick() {
  if (roster_.stopping) return;
  const Time now = Clock::now();
  follow_timetable();
  retry_accounts(now);
  look_at_roots(now);
  stalls_.check(now);
  take_place_of_hanging_lanes();
  checks_.check_some();
  overlaps_.check();
  releases_.let_removed_accounts_go();
  schedule_.dispatch();
  agreements_.check();
  destinations_.check();
  client_->each_second();
  tick_timer_.expires_after(k_tick);
  tick_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) tick();
  });
}

/// The bandwidth of this time of the week.
void Engine::follow_timetable() {
  const config::Transfer& transfer = config_.transfer;
  const config::Span* span = config::span_at(transfer.timetable, std::time(nullptr));
  const unsigned connections = span == nullptr ? 0 : span->connections;
  schedule_.set_most_bulk(connections > 1 ? connections - 1 : connections);  // the first one is for live changes
  const std::uint64_t limit = span == nullptr ? transfer.bandwidth_limit : span->limit;
  if (lanes_.settings().bandwidth_limit == limit) return;
  service::log_info("bandwidth limit={} by=\"{}\"", limit, span == nullptr ? "bandwidth_limit" : span->text);
  LinkSettings settings = lanes_.settings();
  settings.bandwidth_limit = limit;
  lanes_.use(std::move(settings));
}

/// What is held, has problems or cannot be watched has its turn again, at intervals.
void Engine::retry_accounts(Time now) {
  const bool retry = now - last_retry_ > k_retry_problems;
  const bool look_at_unwatched = now - last_look_at_unwatched_ > k_look_at_unwatched;
  const bool retry_obstacles = now - last_retry_of_obstacles_ > k_retry_obstacles;
  if (retry_obstacles) last_retry_of_obstacles_ = now;
  for (auto& [id, account] : roster_.accounts) {
    const bool unwatched = account.unwatched > 0 && look_at_unwatched;
    const bool problem = !account.problems.empty() && (retry_obstacles || (retry && has_other_than_obstacles(account)));
    const bool rechecks = account.held && !account.is_gone() && retry;
    if (account.turn || !(account.held ? rechecks : problem || unwatched)) continue;
    account.rechecks = rechecks;
    account.work.structure = true;
    schedule_.add(account);
  }
}

void Engine::look_at_roots(Time now) {
  const bool retry = now - last_retry_ > k_retry_problems;
  const bool look_at_unwatched = now - last_look_at_unwatched_ > k_look_at_unwatched;
  const bool look_at_missing = now.time_since_epoch() / k_tick % (k_look_at_missing_root / k_tick) == 0;
  if (retry) last_retry_ = now;
  if (look_at_unwatched) last_look_at_unwatched_ = now;
  std::vector<bool> has_gone(roster_.roots.size());
  for (const auto& [id, account] : roster_.accounts) {
    if (account.is_gone()) has_gone[account.root] = true;
  }
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    rooms_.ask(i, false);
    ends_.forget_root_trouble(i);
    const Root& root = roster_.roots[i];
    const bool missing = root.held || !root.directory || !root.overlap.hold.empty();
    if (root.misses_accounts || ((has_gone[i] || root.awaits_copies) && retry)) walks_.walk(i);
    if ((missing && look_at_missing) || (is_unwatched(root) && look_at_unwatched)) walks_.walk(i);
  }
  if (!look_at_missing) return;
  for (const std::size_t root : mount_holds_.roots_to_walk())
    walks_.walk(root);
}

}  // namespace maildirsync::agent
