// `drain` and `mirror`. The word is on this side's disk first, then the turns of the old mode end, then the receiver
// has it on its disk, then the command answers. A mirror after a drain first shows what it would undo.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/requests/commands.h"
#include "agent/requests/requests.h"
#include "agent/requests/undo_preview.h"
#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::agent {

using decisions::Word;
using nlohmann::json;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_named_accounts = 1000;

json json_of(const UndoPreview::Outcome& outcome) {
  json accounts = json::array();
  for (const auto& found : outcome.accounts) {
    if (accounts.size() == k_named_accounts) break;
    json one = to_json(found.work);
    one["account"] = os::printable(found.account);
    accounts.push_back(std::move(one));
  }
  json all = to_json(sum(outcome.accounts));
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

bool is_drained(const decisions::Chain& chain) {
  return !chain.empty() && chain.back().word == Word::drain;
}

/// What was at the destination when the root's users moved there.
void log_cut_over(const Roster& roster, const Root& root) {
  for (const Account* account : roster.accounts_of(roster.index_of(root))) {
    service::log_event({service::Severity::info,
                        "account-cut-over",
                        {{"root", root.config.name},
                         {"account", account->name},
                         {"folders", std::to_string(account->folders)},
                         {"messages", std::to_string(account->messages)},
                         {"bytes", std::to_string(account->bytes)},
                         {"problems", std::to_string(account->problems.size())}}});
  }
}

Word word_of(config::Mode mode) {
  return mode == config::Mode::drain ? Word::drain : Word::mirror;
}

struct Wanted {
  std::size_t root = 0;
  config::Mode mode = config::Mode::mirror;
  std::string by;
  bool is_cutover = false, undoes = false, adopts = false;
};

class ModeChange : public Request {
 public:
  ModeChange(Requests& requests, Wanted wanted, Reply reply)
      : Request(std::move(reply)),
        parts_(requests.parts()),
        wanted_(std::move(wanted)),
        exclusive_(key_of(wanted_.root)) {}

  static std::string key_of(std::size_t root) { return "mode of " + std::to_string(root); }

  /// What must be known first, then the rest.
  void begin();
  /// The word itself, whatever it undoes.
  void keep();
  void advance() override;
  void cancel() override;
  bool has_thread() const override { return preview_ != nullptr; }
  std::string_view exclusive() const override { return exclusive_; }

  void refuse(const std::string& why, json would_undo = nullptr);

 private:
  enum class Stage : std::uint8_t { beginning, comparing, keeping, ending_turns, telling };

  Root& root() { return parts_.roster.roots[wanted_.root]; }
  bool drains() const { return wanted_.mode == config::Mode::drain; }
  std::shared_ptr<ModeChange> self() { return std::static_pointer_cast<ModeChange>(shared_from_this()); }

  void preview();
  void previewed(const UndoPreview::Outcome& outcome);
  void kept();
  bool is_busy() const;
  void tell();
  std::int64_t given_until();
  void let_users_go();
  void finish(const std::string& untold);

  Parts& parts_;
  const Wanted wanted_;
  const std::string exclusive_;
  Stage stage_ = Stage::beginning;
  std::unique_ptr<UndoPreview> preview_;
};

void ModeChange::begin() {
  const Agreement& agreement = root().agreement;
  if (agreement.hold && agreement.hold->code == ErrorCode::foreign_agent && !wanted_.adopts) {
    return refuse(agreement.hold->detail);
  }
  const auto* last = decisions::newest(parts_.agreements.decided(root()));
  const bool is_said =
      last != nullptr && root().mode == wanted_.mode && !agreement.hold && last->word == word_of(wanted_.mode);
  if (is_said && !wanted_.undoes) {
    const bool knows = decisions::contains(agreement.heard, *last);
    return finish(knows ? "" : parts_.lanes.is_connected() ? "it keeps no decisions" : "it is not connected");
  }
  const bool asks =
      !drains() && !wanted_.undoes && (root().mode == config::Mode::drain || agreement.hold || last == nullptr);
  asks ? preview() : keep();
}

void ModeChange::advance() {
  if (stage_ == Stage::ending_turns && !is_busy()) tell();
}

/// What is being compared is given up; what is being kept goes on.
void ModeChange::cancel() {
  if (preview_) {
    preview_->abort();
  } else {
    advance();
  }
}

void ModeChange::refuse(const std::string& why, json would_undo) {
  end({{"ok", false},
       {"root", root().config.name},
       {"mode", config::name_of(root().mode)},
       {"message", why},
       {"would_undo", std::move(would_undo)}});
}

// ---- what a mirror would undo ----

void ModeChange::preview() {
  const std::string& name = root().config.name;
  const auto link = parts_.lanes.up();
  const std::string why = !link                                     ? "the receiver is not connected"
                          : root().held                             ? root().hold_reason
                          : !root().directory || !root().discovered ? "the root cannot be walked"
                                                                    : "";
  if (!why.empty()) {
    return refuse(
        fmt::format("root {}: what a mirror would undo of its users' work at the destination cannot be seen: "
                    "{}. Without asking: maildirsync mirror {} --undo-what-users-did",
                    name, why, name));
  }
  UndoPreview::Order order{.root_name = name,
                           .root = root().directory,
                           .accounts = {},
                           .link = link,
                           .epoch = link->outbox().epoch(),
                           .given_until = std::nullopt};
  const auto& ours = parts_.agreements.decided(root());
  const auto& theirs = root().agreement.heard;
  if (root().mode == config::Mode::drain || is_drained(ours) || is_drained(theirs)) {
    order.given_until = given_until_of(ours, theirs);
  }
  for (const Account* account : parts_.roster.accounts_of(wanted_.root))
    order.accounts.push_back({account->id, account->path, account->name});
  stage_ = Stage::comparing;
  const std::size_t count = order.accounts.size();
  const std::weak_ptr<ModeChange> weak = self();
  preview_ = std::make_unique<UndoPreview>(
      parts_.loop, parts_.state, std::move(order),
      UndoPreview::Hooks{.progress =
                             [weak, count](std::size_t done) {
                               const auto still = weak.lock();
                               if (!still) return;
                               still->progress({{"accounts_done", done}, {"accounts", count}, {"differences", 0}});
                             },
                         .done =
                             [weak](const UndoPreview::Outcome& outcome) {
                               if (const auto still = weak.lock()) still->previewed(outcome);
                             }});
}

void ModeChange::previewed(const UndoPreview::Outcome& outcome) {
  preview_.reset();
  const std::string& name = root().config.name;
  if (parts_.roster.stopping || !is_wanted()) return refuse("root " + name + ": it was given up");
  if (!outcome.trouble.empty()) {
    return refuse(
        fmt::format("root {}: what a mirror would undo of its users' work at the destination cannot be seen: {}", name,
                    outcome.trouble));
  }
  if (outcome.accounts.empty()) return keep();
  refuse(
      fmt::format("root {}: a mirror would undo what users did at the destination in {} of {} accounts: {}. If that is "
                  "meant: maildirsync mirror {} --undo-what-users-did{}",
                  name, outcome.accounts.size(), outcome.compared, describe(sum(outcome.accounts)), name,
                  wanted_.adopts ? " --adopt" : ""),
      json_of(outcome));
}

// ---- the word itself ----

/// Mail that came before this moment (ns since the epoch) is at the destination; 0 when that cannot be said, as during
/// the first copy.
std::int64_t ModeChange::given_until() {
  constexpr int k_reads = 64;
  constexpr auto k_tick = 10ms;      // of the kernel's clock, by which files are stamped
  constexpr auto k_unread = 2s;      // what the watcher has not told yet
  constexpr auto k_unwatched = 20s;  // what is looked at periodically
  if (!root().discovered || root().agreement.comparing) return 0;
  Clock::duration age = parts_.watching.read_all(k_reads) ? Clock::duration(k_tick) : Clock::duration(k_unread);
  for (const auto& [id, account] : parts_.roster.accounts) {
    if (account.root != wanted_.root) continue;
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

void ModeChange::keep() {
  stage_ = Stage::keeping;
  root().agreement.settling = true;
  const config::Mode before = root().mode;
  decisions::Decision said{.number = 0,
                           .word = word_of(wanted_.mode),
                           .id = decisions::random_id(),
                           .when = decisions::stamp_of(os::wall_clock() / 1'000'000'000),
                           .by = wanted_.by,
                           .given_until = drains() ? given_until() : 0};
  if (drains() && said.given_until == 0) {
    said.given_until = given_until_of(parts_.agreements.decided(root()), root().agreement.heard);
  }
  if (drains()) root().mode = config::Mode::drain;  // no turn of the old mode begins from now on
  const std::string users(to_string(ErrorCode::users_at_destination));
  parts_.agreements.decisions().change(
      [name = root().config.name, said, heard = root().agreement.heard, users, undoes = wanted_.undoes,
       configured = word_of(root().config.mode)](decisions::Book& book) {
        auto& chain = book.roots[name];
        chain = decisions::say(chain, heard, said);
        book.configured[name] = configured;
        std::erase_if(book.releases,
                      [&](const auto& release) { return release.root == name && release.code == users; });
        if (undoes) book.releases.push_back({name, "", users, said.when});
      },
      [change = self(), before](const Result<>& kept) {
        change->root().agreement.settling = false;
        if (kept) return change->kept();
        change->root().mode = before;
        change->end(control::error("state", kept.error().message()));
      });
}

void ModeChange::kept() {
  service::log_info("mode root={} mode={} by=\"{}\" number={}", root().config.name, config::name_of(wanted_.mode),
                    wanted_.by, parts_.agreements.decided(root()).back().number);
  root().agreement.settling = true;  // what the receiver knows is older until it was told
  if (drains() && !root().agreement.comparing && !root().agreement.hold) {
    parts_.agreements.note_record_is_by(wanted_.root);
  }
  stage_ = Stage::ending_turns;
  advance();
}

/// Turns of the old mode are under way.
bool ModeChange::is_busy() const {
  return std::any_of(parts_.roster.accounts.begin(), parts_.roster.accounts.end(), [&](const auto& found) {
    const auto& turn = found.second.turn;
    return turn && found.second.root == wanted_.root && turn->order.mode != wanted_.mode;
  });
}

/// Accounts that waited because users work there: a drain does not touch what these did, and a mirror may.
void ModeChange::let_users_go() {
  for (Account* account : parts_.roster.accounts_of(wanted_.root)) {
    if (!account->held || account->hold_code != ErrorCode::users_at_destination) continue;
    parts_.holds.end(*account, "account-resumed");
    account->work.structure = account->work.compare = true;
  }
}

void ModeChange::tell() {
  stage_ = Stage::telling;
  root().mode = wanted_.mode;
  Agreement& agreement = root().agreement;
  agreement.settling = false;
  agreement.told = true;
  if (!drains() || agreement.hold) parts_.agreements.begin_comparing(wanted_.root);
  let_users_go();
  agreement.reached = false;
  if (!parts_.lanes.keeps_decisions().value_or(true)) {
    parts_.agreements.agree(wanted_.root);
    return finish(parts_.lanes.is_connected() ? "it is of an earlier release, and keeps no decisions"
                                              : "it is not connected");
  }
  parts_.agreements.tell(wanted_.root, wanted_.adopts,
                         [change = self()](const std::string& untold) { change->finish(untold); });
}

void ModeChange::finish(const std::string& untold) {
  root().agreement.told = false;
  if (wanted_.is_cutover) log_cut_over(parts_.roster, root());
  const auto* last = decisions::newest(parts_.agreements.decided(root()));
  std::string message = "root " + root().config.name + ": " + config::name_of(wanted_.mode);
  if (root().agreement.hold) {
    return refuse(message + " is kept here, but the receiver does not take it: " + root().agreement.hold->detail);
  }
  if (!untold.empty()) {
    message +=
        "; kept here, but the receiver does not have it: " + untold + ". It is told before anything else is sent to it";
  }
  end({{"ok", true},
       {"message", message},
       {"root", root().config.name},
       {"mode", config::name_of(wanted_.mode)},
       {"number", last == nullptr ? 0 : last->number},
       {"receiver_has_it", untold.empty()}});
}

void begin_change(Requests& requests, Wanted wanted, Reply reply) {
  const bool is_busy = requests.is_under_way(ModeChange::key_of(wanted.root));
  const auto change = std::make_shared<ModeChange>(requests, std::move(wanted), std::move(reply));
  if (is_busy) return change->refuse("another drain or mirror of this root is under way");
  change->begin();
  if (!change->has_ended()) requests.begin(change);
}

}  // namespace

void set_mode(Requests& requests, const json& request, Reply reply) {
  const std::string name = request.value("root", "");
  const Root* root = requests.parts().roster.find_root(name);
  if (root == nullptr) {
    return reply->finish(control::error("usage", "there is no root '" + name + "' in the configuration"));
  }
  Wanted wanted;
  wanted.root = requests.parts().roster.index_of(*root);
  wanted.mode = request.value("command", "") == "drain" ? config::Mode::drain : config::Mode::mirror;
  wanted.is_cutover = request.value("cutover", false);
  wanted.undoes = request.value("undo_what_users_did", false);
  wanted.adopts = request.value("adopt", false);
  wanted.by = wanted.is_cutover ? "cutover" : config::name_of(wanted.mode);
  if (wanted.undoes) wanted.by += " --undo-what-users-did";
  if (wanted.adopts) wanted.by += " --adopt";
  begin_change(requests, std::move(wanted), std::move(reply));
}

/// Nothing is asked here: a mirror asks about each account that it compares.
void set_configured_mode(Requests& requests, std::size_t index, config::Mode mode) {
  const Root& root = requests.parts().roster.roots[index];
  if (root.mode != mode) {
    const auto change =
        std::make_shared<ModeChange>(requests, Wanted{.root = index, .mode = mode, .by = "agent.toml"}, nullptr);
    change->keep();
    return requests.begin(change);
  }
  requests.parts().agreements.decisions().change(
      [name = root.config.name, mode](decisions::Book& book) { book.configured[name] = word_of(mode); },
      [](const Result<>&) {});
}

}  // namespace maildirsync::agent
