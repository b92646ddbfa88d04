#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "common/os/clock.h"
#include "common/os/printable.h"

// `drain` and `mirror`. The word is on this side's disk first, then the turns of the old mode end, then the receiver
// has it on its disk, then the command answers. A mirror after a drain first shows what it would undo.

namespace maildirsync::agent {

using decisions::Word;
using nlohmann::json;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_named_accounts = 1000;

const char* word(config::Mode mode) {
  return mode == config::Mode::drain ? "drain" : "mirror";
}

json json_of(const sync::UsersWork& work) {
  return {{"flags", work.flags},
          {"deletions", work.deletions},
          {"moves", work.moves},
          {"only_there", work.only_there},
          {"uidlists", work.uidlists}};
}

json json_of(const UndoPreview::Outcome& outcome) {
  json accounts = json::array();
  for (const auto& found : outcome.accounts) {
    if (accounts.size() == k_named_accounts) break;
    json one = json_of(found.work);
    one["account"] = os::printable(found.account);
    accounts.push_back(std::move(one));
  }
  json all = json_of(sum(outcome.accounts));
  all["accounts"] = outcome.accounts.size();
  all["of_accounts"] = outcome.compared;
  all["named"] = std::move(accounts);
  return all;
}

/// The latest that was ever said: what had been given stays given.
std::int64_t given_until_of(const decisions::Chain& ours, const decisions::Chain& theirs) {
  std::int64_t latest = 0;
  for (const auto* chain : {&ours, &theirs}) {
    for (const auto& said : *chain)
      latest = std::max(latest, said.given_until);
  }
  return latest;
}

}  // namespace

/// One that is under way.
struct Engine::ModeChange {
  enum class Stage : std::uint8_t { comparing, keeping, ending_turns, telling };
  std::size_t root = 0;
  config::Mode mode = config::Mode::mirror;
  std::string by;
  bool is_cutover = false, undoes = false, adopts = false;
  std::shared_ptr<control::Reply> reply;  ///< null for one that agent.toml says
  Stage stage = Stage::keeping;
  std::unique_ptr<UndoPreview> preview;
};

void Engine::set_mode(const json& request, config::Mode mode, std::shared_ptr<control::Reply> reply) {
  const std::string name = request.value("root", "");
  const auto found =
      std::find_if(roots_.begin(), roots_.end(), [&](const Root& r) { return !r.removed && r.config.name == name; });
  if (found == roots_.end()) {
    return reply->finish(control::error("usage", "there is no root '" + name + "' in the configuration"));
  }
  const auto change = std::make_shared<ModeChange>();
  change->root = static_cast<std::size_t>(found - roots_.begin());
  change->mode = mode;
  change->is_cutover = request.value("cutover", false);
  change->undoes = request.value("undo_what_users_did", false);
  change->adopts = request.value("adopt", false);
  change->by = change->is_cutover ? "cutover" : word(mode);
  if (change->undoes) change->by += " --undo-what-users-did";
  if (change->adopts) change->by += " --adopt";
  change->reply = std::move(reply);
  const bool is_busy = std::any_of(mode_changes_.begin(), mode_changes_.end(),
                                   [&](const auto& other) { return other->root == change->root; });
  if (is_busy) return refuse(change, "another drain or mirror of this root is under way", nullptr);
  const Agreement& agreement = found->agreement;
  if (agreement.hold && agreement.hold->code == ErrorCode::foreign_agent && !change->adopts) {
    return refuse(change, agreement.hold->detail, nullptr);
  }
  mode_changes_.push_back(change);
  const auto* last = decisions::newest(decided(*found));
  const bool is_said = last != nullptr && found->mode == mode && !agreement.hold &&
                       last->word == (mode == config::Mode::drain ? Word::drain : Word::mirror);
  if (is_said && !change->undoes) {
    const bool knows = decisions::contains(agreement.heard, *last);
    return finish_mode(change, knows ? "" : is_connected() ? "it keeps no decisions" : "it is not connected");
  }
  const bool asks = mode == config::Mode::mirror && !change->undoes &&
                    (found->mode == config::Mode::drain || agreement.hold || last == nullptr);
  asks ? preview(change) : keep_mode(change);
}

/// By agent.toml, while we run. Nothing is asked here: a mirror asks about each account that it compares.
void Engine::change_mode(std::size_t index, config::Mode mode, const std::string& by) {
  Root& root = roots_[index];
  if (root.mode == mode) {
    decisions_->change(
        [name = root.config.name, mode](decisions::Book& book) {
          book.configured[name] = mode == config::Mode::drain ? Word::drain : Word::mirror;
        },
        [](const Result<>&) {});
    return;
  }
  const auto change = std::make_shared<ModeChange>();
  change->root = index;
  change->mode = mode;
  change->by = by;
  mode_changes_.push_back(change);
  keep_mode(change);
}

// ---- what a mirror would undo ----

void Engine::preview(const std::shared_ptr<ModeChange>& change) {
  const Root& root = roots_[change->root];
  const auto up = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->link().is_up(); });
  const char* why = up == lanes_.end()                    ? "the receiver is not connected"
                    : !root.directory || !root.discovered ? "the root cannot be walked"
                                                          : nullptr;
  if (why != nullptr) {
    return refuse(change,
                  fmt::format("root {}: what a mirror would undo of its users' work at the destination cannot be seen: "
                              "{}. Without asking: maildirsync mirror {} --undo-what-users-did",
                              root.config.name, why, root.config.name),
                  nullptr);
  }
  UndoPreview::Order order{.root_name = root.config.name,
                           .root = root.directory,
                           .accounts = {},
                           .link = (*up)->link().shared_from_this(),
                           .epoch = (*up)->link().outbox().epoch()};
  for (const Account* account : accounts_of(change->root))
    order.accounts.push_back({account->id, account->path, account->name});
  change->stage = ModeChange::Stage::comparing;
  const std::size_t count = order.accounts.size();
  const std::weak_ptr<ModeChange> weak = change;
  change->preview = std::make_unique<UndoPreview>(
      loop_, *state_, std::move(order),
      UndoPreview::Hooks{.progress =
                             [weak, count](std::size_t done) {
                               const auto still = weak.lock();
                               if (!still) return;
                               still->reply->progress(
                                   {{"progress", {{"accounts_done", done}, {"accounts", count}, {"differences", 0}}}});
                             },
                         .done =
                             [this, weak](UndoPreview::Outcome outcome) {
                               if (const auto still = weak.lock()) previewed(still, std::move(outcome));
                             }});
}

void Engine::previewed(const std::shared_ptr<ModeChange>& change, UndoPreview::Outcome outcome) {
  change->preview.reset();
  const std::string& name = roots_[change->root].config.name;
  if (stopping_ || !change->reply->wanted()) {
    return refuse(change, "root " + name + ": it was given up", nullptr);
  }
  if (!outcome.trouble.empty()) {
    return refuse(
        change,
        fmt::format("root {}: what a mirror would undo of its users' work at the destination cannot be seen: {}", name,
                    outcome.trouble),
        nullptr);
  }
  if (outcome.accounts.empty()) return keep_mode(change);
  const auto all = sum(outcome.accounts);
  refuse(
      change,
      fmt::format("root {}: a mirror would undo what users did at the destination in {} of {} accounts: {}. If that is "
                  "meant: maildirsync mirror {} --undo-what-users-did",
                  name, outcome.accounts.size(), outcome.compared, describe(all), name),
      json_of(outcome));
}

void Engine::refuse(const std::shared_ptr<ModeChange>& change, const std::string& why, json would_undo) {
  std::erase(mode_changes_, change);
  if (!change->reply) return;
  const Root& root = roots_[change->root];
  change->reply->finish({{"ok", false},
                         {"root", root.config.name},
                         {"mode", word(root.mode)},
                         {"message", why},
                         {"would_undo", std::move(would_undo)}});
}

void Engine::abort_previews() {
  for (const auto& change : mode_changes_) {
    if (change->preview) change->preview->abort();
  }
}

bool Engine::is_previewing() const {
  return std::any_of(mode_changes_.begin(), mode_changes_.end(),
                     [](const auto& change) { return bool(change->preview); });
}

// ---- the word itself ----

/// Mail that came before this moment (ns since the epoch) is at the destination; 0 when that cannot be said, as during
/// the first copy.
std::int64_t Engine::given_until(std::size_t index) {
  constexpr int k_reads = 64;
  constexpr auto k_tick = 10ms;      // of the kernel's clock, by which files are stamped
  constexpr auto k_unread = 2s;      // what the watcher has not told yet
  constexpr auto k_unwatched = 20s;  // what is looked at periodically
  const Root& root = roots_[index];
  if (!root.discovered || root.agreement.comparing) return 0;
  bool more = true;
  for (int i = 0; more && i < k_reads; ++i) {
    const auto taken = watcher_->read();
    for (const auto& event : taken.events)
      take_event(event);
    more = taken.more;
  }
  Clock::duration age = more ? Clock::duration(k_unread) : Clock::duration(k_tick);
  for (const auto& [id, account] : accounts_) {
    if (account.root != index) continue;
    if (!account.complete || account.awaits_discovery || account.held) return 0;
    if (account.unwatched > 0) age = std::max<Clock::duration>(age, k_unwatched);
    for (const auto& at : {account.work.oldest, account.turn ? account.turn->order.work.oldest : std::nullopt}) {
      if (at) age = std::max<Clock::duration>(age, Clock::now() - *at + k_tick);
    }
    for (const auto& [path, problem] : account.problems) {
      const bool is_mail = problem.code != ErrorCode::special_file && problem.code != ErrorCode::unwatched;
      if (is_mail) return 0;
    }
  }
  return os::wall_clock() - std::chrono::duration_cast<std::chrono::nanoseconds>(age).count();
}

void Engine::keep_mode(const std::shared_ptr<ModeChange>& change) {
  Root& root = roots_[change->root];
  change->stage = ModeChange::Stage::keeping;
  root.agreement.settling = true;
  const config::Mode before = root.mode;
  const bool drains = change->mode == config::Mode::drain;
  decisions::Decision said{.number = 0,
                           .word = drains ? Word::drain : Word::mirror,
                           .id = decisions::random_id(),
                           .when = decisions::stamp_of(os::wall_clock() / 1'000'000'000),
                           .by = change->by,
                           .given_until = drains ? given_until(change->root) : 0};
  if (drains && said.given_until == 0) said.given_until = given_until_of(decided(root), root.agreement.heard);
  if (drains) root.mode = config::Mode::drain;  // no turn of the old mode begins from now on
  const std::string users(to_string(ErrorCode::users_at_destination));
  decisions_->change(
      [name = root.config.name, said, heard = root.agreement.heard, users, undoes = change->undoes,
       configured = root.config.mode](decisions::Book& book) {
        auto& chain = book.roots[name];
        chain = decisions::say(chain, heard, said);
        book.configured[name] = configured == config::Mode::drain ? Word::drain : Word::mirror;
        std::erase_if(book.releases,
                      [&](const auto& release) { return release.root == name && release.code == users; });
        if (undoes) book.releases.push_back({name, "", users, said.when});
      },
      [this, change, before](const Result<>& kept) {
        Root& changed = roots_[change->root];
        changed.agreement.settling = false;
        if (kept) return mode_is_kept(change);
        changed.mode = before;
        std::erase(mode_changes_, change);
        if (change->reply) change->reply->finish(control::error("state", kept.error().message()));
      });
}

void Engine::mode_is_kept(const std::shared_ptr<ModeChange>& change) {
  Root& root = roots_[change->root];
  spdlog::info("mode root={} mode={} by=\"{}\" number={}", root.config.name, word(change->mode), change->by,
               decided(root).back().number);
  root.agreement.settling = true;  // what the receiver knows is older until it was told
  if (change->mode == config::Mode::drain && !root.agreement.comparing && !root.agreement.hold) {
    note_record_is_by(change->root);
  }
  change->stage = ModeChange::Stage::ending_turns;
  check_mode_changes();
}

/// Accounts that waited because users work there: a drain does not touch what these did, and a mirror may.
void Engine::let_users_go(std::size_t index) {
  for (Account* account : accounts_of(index)) {
    if (!account->held || account->hold_code != ErrorCode::users_at_destination) continue;
    end_hold(*account, "account-resumed");
    account->work.structure = account->work.compare = true;
  }
}

void Engine::check_mode_changes() {
  const auto changes = mode_changes_;
  for (const auto& change : changes) {
    if (change->stage != ModeChange::Stage::ending_turns) continue;
    const bool busy = std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& found) {
      const auto& turn = found.second.turn;
      return turn && found.second.root == change->root && turn->order.mode != change->mode;
    });
    if (busy) continue;
    Root& root = roots_[change->root];
    change->stage = ModeChange::Stage::telling;
    root.mode = change->mode;
    root.agreement.settling = false;
    root.agreement.told = true;
    if (change->mode == config::Mode::mirror || root.agreement.hold) begin_comparing(change->root);
    let_users_go(change->root);
    if (receiver_keeps_decisions_ && !*receiver_keeps_decisions_) {
      root.agreement.reached = false;
      agree(change->root);
      finish_mode(change,
                  is_connected() ? "it is of an earlier release, and keeps no decisions" : "it is not connected");
      continue;
    }
    root.agreement.reached = false;
    tell(change->root, change->adopts,
         [this, change](const std::string& untold) { finish_mode(change, untold.empty() ? "" : untold); });
  }
}

void Engine::finish_mode(const std::shared_ptr<ModeChange>& change, const std::string& untold) {
  std::erase(mode_changes_, change);
  Root& root = roots_[change->root];
  root.agreement.told = false;
  if (change->is_cutover) note_cut_over(root.config.name);
  if (!change->reply) return;
  const auto* last = decisions::newest(decided(root));
  std::string message = "root " + root.config.name + ": " + word(change->mode);
  if (root.agreement.hold) {
    return refuse(change, message + " is kept here, but the receiver does not take it: " + root.agreement.hold->detail,
                  nullptr);
  }
  if (!untold.empty()) {
    message +=
        "; kept here, but the receiver does not have it: " + untold + ". It is told before anything else is sent to it";
  }
  change->reply->finish({{"ok", true},
                         {"message", message},
                         {"root", root.config.name},
                         {"mode", word(change->mode)},
                         {"number", last == nullptr ? 0 : last->number},
                         {"receiver_has_it", untold.empty()}});
}

}  // namespace maildirsync::agent
