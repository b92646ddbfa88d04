// What was decided of each root, and that both sides know the same before anything is sent. The decisions themselves
// and who takes whose word are pure (common/decisions/settle.h); here is what the agent does by them.
//
// A root goes through this at each greeting, of whichever connection:
//
//   greeting ── same ───────────────────────────────────────▶ agreed: turns go by the token
//            ├─ the receiver's is newer: kept here, compared ─▶ agreed
//            ├─ ours is newer: told, and heard again
//            ├─ new on both sides: the configured mode is the first decision, kept, told, and heard again
//            └─ lost, contradicting, or a foreign agent's ────▶ waits for a person (drain, mirror)
//
// What the record of an account says is only as good as the state that it is in. Where a decision came from the
// receiver, or the state does not know the decision that counts, each account is compared before it goes on
// (`comparing`); the state notes when that is done, so that a restart in between goes on with it.

#include "agent/destination/agreements.h"

#include <algorithm>

#include <asio/post.hpp>

#include "common/service/log.h"
#include "common/wire/decisions.h"

namespace maildirsync::agent {

using decisions::Book;
using decisions::Chain;
using decisions::Word;

namespace {

config::Mode mode_of(Word word) {
  return word == Word::drain ? config::Mode::drain : config::Mode::mirror;
}

Word word_of(config::Mode mode) {
  return mode == config::Mode::drain ? Word::drain : Word::mirror;
}

/// In the state: by which decision its record of the root is whole.
std::string record_key(const std::string& root) {
  return "record-by:" + root;
}

std::string text_of(const decisions::Token& token) {
  return std::to_string(token.number) + ':' + token.id;
}

/// The root was drained, and is mirrored again.
bool comes_from_drain(const Chain& chain) {
  return chain.size() > 1 && chain.back().word == Word::mirror && chain[chain.size() - 2].word == Word::drain;
}

std::string both_sides(const Chain& ours, const Chain& theirs) {
  return "this agent knows: " + decisions::describe(ours) + "; the receiver knows: " + decisions::describe(theirs);
}

}  // namespace

Agreements::Agreements(Given given)
    : loop_(given.loop),
      roster_(given.roster),
      state_(given.state),
      decisions_(std::move(given.decisions)),
      keeper_(given.keeper),
      lanes_(given.lanes),
      schedule_(given.schedule),
      pause_(*decisions_, given.lanes, given.schedule),
      releases_(given.roster, *decisions_),
      changed_(std::move(given.changed)) {}

const Chain& Agreements::decided(const Root& root) const {
  static const Chain none;
  const auto found = decisions_->book().roots.find(root.config.name);
  return found == decisions_->book().roots.end() ? none : found->second;
}

// ---- at the start of a root ----

Result<> Agreements::begin(std::size_t index, When when) {
  Root& root = roster_.roots[index];
  const std::string name = root.config.name;
  const Word configured = word_of(root.config.mode);
  MAILDIRSYNC_ASSIGN(auto legacy, state_.value("mode:" + name));
  MAILDIRSYNC_ASSIGN(auto legacy_configured, state_.value("mode-configured:" + name));
  const Chain known = decided(root);
  Chain chain = known;
  std::optional<Word> before;
  if (chain.empty() && legacy) {
    chain = decisions::say({}, {}, said_now(*legacy == "drain" ? Word::drain : Word::mirror, "an earlier release"));
    before = !legacy_configured ? configured : *legacy_configured == "drain" ? Word::drain : Word::mirror;
  } else if (const auto found = decisions_->book().configured.find(name);
             found != decisions_->book().configured.end()) {
    before = found->second;
  }
  const bool is_from_earlier_release = !(chain == known);
  if (!chain.empty() && before && *before != configured && chain.back().word != configured) {
    chain = decisions::say(chain, {}, said_now(configured, "agent.toml"));
    service::log_info("mode root={} mode={} by=agent.toml", name, to_string(configured));
  }
  root.mode = chain.empty() ? root.config.mode : mode_of(chain.back().word);
  MAILDIRSYNC_ASSIGN(const auto record, state_.value(record_key(name)));
  const bool is_whole = record && *record == text_of(decisions::token_of(chain));
  root.agreement.comparing = !chain.empty() && !is_whole;
  if (is_from_earlier_release && chain.size() == 1) {
    // Its state is the one that the mode was kept in.
    root.agreement.comparing = false;
    keeper_.set_value(record_key(name), text_of(decisions::token_of(chain)));
  }
  const auto update = [name, chain, configured](Book& book) {
    if (!chain.empty()) book.roots[name] = chain;
    book.configured[name] = configured;
  };
  if (when == When::at_start) return decisions_->change_now(update);
  root.agreement.settling = true;
  decisions_->change(update, [this, index](const Result<>& kept) {
    roster_.roots[index].agreement.settling = false;
    if (!kept) return wait_for_person(index, kept.error());
    tell(index);
  });
  return {};
}

void Agreements::begin_pause() {
  const auto earlier = state_.value("paused");
  pause_.begin(earlier ? *earlier : std::nullopt);
}

// ---- with the receiver ----

void Agreements::greet(wire::Hello& hello) const {
  const Book& book = decisions_->book();
  hello.set_keeps_decisions(true);
  hello.set_run(book.run);
  wire::to_wire(book.pause, *hello.add_decisions());
  for (const auto& root : roster_.roots) {
    if (root.removed) continue;
    auto& out = *hello.add_decisions();
    out.set_root(root.config.name);
    wire::to_wire(decided(root), out);
  }
}

void Agreements::heard(const wire::Hello& receiver) {
  if (receiver.older_state()) state_is_older();
  if (receiver.run() > decisions_->book().run) {
    decisions_->change([run = receiver.run()](Book& book) { book.run = std::max(book.run, run); },
                       [](const Result<>&) {});
  }
  std::vector<bool> said(roster_.roots.size(), false);
  for (const auto& one : receiver.decisions()) {
    if (one.root().empty()) pause_.heard(one);
    for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
      if (roster_.roots[i].removed || roster_.roots[i].config.name != one.root() || one.root().empty()) continue;
      said[i] = true;
      if (roster_.roots[i].agreement.telling == 0) heard_of_root(i, one);
    }
  }
  // A receiver of an earlier release, or one that has no such root: it refuses what comes for that one.
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    if (roster_.roots[i].removed || said[i] || roster_.roots[i].agreement.settling) continue;
    roster_.roots[i].agreement.hold.reset();
    decided(roster_.roots[i]).empty() ? begin_first(i, true) : agree(i);
  }
}

void Agreements::heard_of_root(std::size_t index, const wire::RootDecisions& said) {
  Root& root = roster_.roots[index];
  Agreement& agreement = root.agreement;
  auto heard = wire::from_wire(said);
  if (!heard) return wait_for_person(index, heard.error());
  agreement.heard = std::move(*heard);
  if (agreement.settling) return;
  if (said.held() != 0) {
    return wait_for_person(index, Error{static_cast<ErrorCode>(said.held()), "", said.detail(), 0});
  }
  switch (decisions::next_of_agent(decided(root), agreement.heard, agreement.known_before)) {
    case decisions::Next::go_on:
      return agree(index);
    case decisions::Next::adopt:
      return adopt(index);
    case decisions::Next::begin:
      return begin_first(index, false);
    case decisions::Next::tell:
      if (!std::exchange(agreement.told, true)) return tell(index);
      return wait_for_person(
          index,
          Error{ErrorCode::protocol, "",
                "the receiver does not keep what was decided: " + both_sides(decided(root), agreement.heard), 0});
    case decisions::Next::hold:
      break;
  }
  const std::string name = root.config.name;
  wait_for_person(
      index,
      Error{ErrorCode::decisions_lost, "",
            both_sides(decided(root), agreement.heard) +
                (decisions_->damage().empty() ? "" : " (" + decisions_->damage() + ")") +
                "; which of it counts only a person can say, and nothing is sent until then. If users work at the "
                "destination: maildirsync drain " +
                name + ". If they do not, and all that they did there may be undone: maildirsync mirror " + name +
                " --undo-what-users-did",
            0});
}

void Agreements::tell(std::size_t index, bool adopts, std::function<void(std::string)> then) {
  Root& root = roster_.roots[index];
  const auto link = lanes_.up();
  if (!link || !lanes_.keeps_decisions().value_or(false)) {
    if (then) then("the receiver is not connected");
    return;
  }
  ++root.agreement.telling;
  wire::Header header;
  auto& decide = *header.mutable_decide();
  decide.mutable_decisions()->set_root(root.config.name);
  decide.set_adopts(adopts);
  wire::to_wire(decided(root), *decide.mutable_decisions());
  const decisions::Token said = decisions::token_of(decided(root));
  link->ask(std::move(header), [this, index, said, then](const Result<std::vector<wire::Header>>& answer) {
    Root& told = roster_.roots[index];
    --told.agreement.telling;
    std::string untold;
    if (!answer) {
      untold = answer.error().message();
    } else if (!(said == decisions::token_of(decided(told)))) {
      // The receiver answered before it heard of what was decided since, which is told by itself.
      untold = "something newer was decided meanwhile";
    } else if (const auto& heard = answer->front().decided(); heard.error() != 0) {
      untold = heard.detail();
      agree(index);  // it has no such root, and says so to each operation
    } else {
      heard_of_root(index, heard.decisions());
    }
    if (then) then(std::move(untold));
  });
}

void Agreements::begin_first(std::size_t index, bool alone) {
  Root& root = roster_.roots[index];
  root.agreement.settling = true;
  const std::string name = root.config.name;
  const Word word = word_of(root.config.mode);
  decisions_->change(
      [name, word](Book& book) {
        if (book.roots[name].empty()) book.roots[name] = decisions::say({}, {}, said_now(word, "agent.toml"));
        book.configured[name] = word;
      },
      [this, index, alone](const Result<>& kept) {
        roster_.roots[index].agreement.settling = false;
        if (!kept) return wait_for_person(index, kept.error());
        note_record_is_by(index);
        alone ? agree(index) : tell(index);
      });
}

/// What the receiver knows is newer: this side's was lost, or is an older copy.
void Agreements::adopt(std::size_t index) {
  Root& root = roster_.roots[index];
  service::log_warning(
      "decision-adopted root={} agent=\"{}\" receiver=\"{}\" action=\"the receiver's counts; every account is "
      "compared with what it holds\"",
      root.config.name, decisions::describe(decided(root)), decisions::describe(root.agreement.heard));
  root.agreement.settling = true;
  root.agreement.reached = false;
  decisions_->change(
      [name = root.config.name, heard = root.agreement.heard, word = word_of(root.config.mode)](Book& book) {
        book.roots[name] = heard;
        book.configured[name] = word;
        std::erase_if(book.releases, [&](const auto& release) { return release.root == name; });
      },
      [this, index](const Result<>& kept) {
        Root& adopting = roster_.roots[index];
        adopting.agreement.settling = false;
        if (!kept) return wait_for_person(index, kept.error());
        adopting.agreement.adopted = true;
        adopting.mode = mode_of(decided(adopting).back().word);
        begin_comparing(index);
        tell(index);  // and hear whether it is still so
      });
}

void Agreements::agree(std::size_t index) {
  Root& root = roster_.roots[index];
  Agreement& agreement = root.agreement;
  if (agreement.hold)
    service::log_info("root-settled root={} decision=\"{}\"", root.config.name, describe(decided(root)));
  agreement.hold.reset();
  agreement.told = false;
  agreement.token = decisions::token_of(decided(root));
  if (std::exchange(agreement.reached, true)) return;
  for (Account* account : roster_.accounts_of(index))
    schedule_.add(*account);
  asio::post(loop_, [this] { schedule_.dispatch(); });
}

void Agreements::wait_for_person(std::size_t index, Error why) {
  Root& root = roster_.roots[index];
  root.agreement.reached = false;
  if (!root.hold()) root.held_since = Clock::now();
  if (!root.agreement.hold || root.agreement.hold->detail != why.detail) {
    log_problem(to_string(why.code), root.config.name, "", root.config.path, why.message());
  }
  why.detail = why.message();
  root.agreement.hold = std::move(why);
  changed_();
}

// ---- the record of what was acknowledged ----

std::int64_t Agreements::given_until_by_decision(const Account& account) const {
  const Root& root = roster_.root_of(account);
  // Where the destination was put back, what is missing there may never have come back: the receiver tells it apart.
  const bool may_lack = !account.put_back && (root.agreement.comparing || !account.complete);
  return may_lack && !decided(root).empty() ? decided(root).back().given_until : 0;
}

/// Whether users' work at the destination is asked about when an account is compared.
AskAboutUsers Agreements::ask_about_users(const Account& account) const {
  const Root& root = roster_.root_of(account);
  if (!root.agreement.comparing || account.compared) return AskAboutUsers::where_evident;
  if (releases_.may_undo_users_work(root)) return AskAboutUsers::never;
  return comes_from_drain(decided(root)) ? AskAboutUsers::always : AskAboutUsers::where_evident;
}

void Agreements::begin_comparing(std::size_t index) {
  roster_.roots[index].agreement.comparing = true;
  for (Account* account : roster_.accounts_of(index)) {
    account->compared = false;
    account->work.compare = account->work.structure = true;
  }
}

void Agreements::check() {
  constexpr int k_ticks = 10;
  const bool asks_again = ++ticks_ % k_ticks == 0 && lanes_.is_connected();
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    const Root& root = roster_.roots[i];
    if (root.removed) continue;
    // Undecided though turns go on: the receiver had no such root when it was asked, and may have by now.
    const bool is_open = !root.agreement.reached || decided(root).empty();
    if (asks_again && is_open && !root.agreement.settling) tell(i);
    if (root.agreement.comparing && root.agreement.reached && root.discovered) check_compared(i);
  }
}

void Agreements::check_compared(std::size_t index) {
  const Root& root = roster_.roots[index];
  const auto accounts = roster_.accounts_of(index);
  if (!std::all_of(accounts.begin(), accounts.end(), [](const Account* account) { return account->compared; })) return;
  if (root.agreement.withheld > 0) {
    service::log_warning(
        "mail-withheld root={} messages={} reason=\"it came before the drain and is not at the destination: "
        "its users removed it there\"",
        root.config.name, root.agreement.withheld);
  }
  note_record_is_by(index);
  releases_.forget_users_work(root);
}

void Agreements::note_record_is_by(std::size_t index) {
  Root& root = roster_.roots[index];
  root.agreement.comparing = false;
  keeper_.set_value(record_key(root.config.name), text_of(decisions::token_of(decided(root))));
}

/// A root that is not agreed on is told of again.
void Agreements::disagreed(const std::string& name) {
  Root* root = roster_.find_root(name);
  if (root == nullptr || !root->agreement.reached) return;
  root->agreement.reached = false;
  tell(roster_.index_of(*root));
}

/// The receiver has heard of later runs: this state is an older copy, and what it says was acknowledged is not all.
void Agreements::state_is_older() {
  if (std::exchange(older_state_, true)) return;
  service::log_warning("state-older action=\"every account is compared with what the receiver holds\"");
  for (std::size_t i = 0; i < roster_.roots.size(); ++i) {
    if (roster_.roots[i].removed) continue;
    keeper_.set_value(record_key(roster_.roots[i].config.name), "");
    begin_comparing(i);
    for (Account* account : roster_.accounts_of(i))
      schedule_.add(*account);
  }
}

}  // namespace maildirsync::agent
