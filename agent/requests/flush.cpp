// `flush`: first every root is walked anew, then every account is looked at, and the destination's tree too; then it
// waits for the receiver.

#include <algorithm>
#include <chrono>
#include <utility>

#include <asio/post.hpp>

#include "agent/requests/chosen_accounts.h"
#include "agent/requests/chosen_roots.h"
#include "agent/requests/commands.h"
#include "agent/requests/extra_mail.h"
#include "agent/requests/flush_standing.h"
#include "agent/requests/requests.h"
#include "agent/requests/status.h"
#include "common/os/clock.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

constexpr auto k_progress = std::chrono::milliseconds(500);

/// Where a flush stands at a moment.
struct Survey {
  std::uint64_t accounts = 0, folders = 0, messages = 0;
  std::uint64_t drained_roots = 0, mirrored_roots = 0;
  json left_out = json::array();  ///< what cannot end, and the problems
  json waits = json::array();     ///< what ends by itself: that of roots, then of accounts
  std::uint64_t waiting_accounts = 0;
  bool waits_for_resume = false;

  void waits_for(const std::string& root, const std::string& account, const std::string& cause) {
    json one = {{"code", "waiting"}, {"root", root}, {"detail", "not finished in time: " + cause}, {"cause", cause}};
    if (!account.empty()) {
      one["account"] = account;
      ++waiting_accounts;
    }
    waits.push_back(std::move(one));
  }
};

class Flush : public Request {
 public:
  Flush(Requests& requests, const json& request, Reply reply);

  void advance() override;
  void cancel() override { finish(survey()); }

 private:
  enum class Looks : std::uint8_t { to_ask, asked, known };  ///< at the destination's tree

  void mark_accounts();
  void look_at_destination();
  void looked(const std::vector<DestinationChecks::Unasked>& unasked);
  bool waits_for_looks() const { return (looks_ != Looks::known || lists_accounts_) && !parts_.schedule.is_paused(); }
  bool waits();
  bool is_chosen(const Account& account) const {
    return roots_.contains(parts_.roster.root_of(account)) && accounts_.contains(account.name);
  }
  Survey survey() const;
  void survey_root(std::size_t index, Survey& survey) const;
  void survey_account(const Account& account, Survey& survey) const;
  FlushFacts facts(const Account& account) const;
  std::optional<std::string> cause_of_all() const;
  void tell_progress(const Survey& survey);
  void finish(Survey survey);

  Parts& parts_;
  const ChosenAccounts accounts_;
  const ChosenRoots roots_;
  const bool full_;
  const bool thorough_;  ///< for a proof: also a root without accounts is left out
  const std::uint64_t generation_;
  const Time start_ = Clock::now();
  std::optional<Time> deadline_;
  std::vector<std::uint64_t> walks_;  ///< of each root, that must have ended
  bool accounts_marked_ = false;
  Looks looks_;
  bool lists_accounts_ = false;  ///< those of the destination
  std::vector<DestinationChecks::Unasked>
      unlooked_;  ///< roots that the receiver did not look at, when it was asked last
  std::optional<Time> unlooked_since_;
  Time last_progress_{};
  AccountId waited_for_ = 0;  ///< one that was, when it was asked last
};

Flush::Flush(Requests& requests, const json& request, Reply reply)
    : Request(std::move(reply)),
      parts_(requests.parts()),
      accounts_(request),
      roots_(request, parts_.roster),
      full_(request.value("full", false)),
      thorough_(request.value("thorough", false)),
      generation_(parts_.schedule.next_generation()),
      looks_(full_ ? Looks::known : Looks::to_ask) {  // a full one lists all of the destination instead
  constexpr double k_longest = 365.0 * 24 * 60 * 60;  // a year: what is longer may not fit the clock
  const double timeout = std::min(request.value("timeout", 0.0), k_longest);
  if (timeout > 0) {
    deadline_ = start_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout));
  }
  walks_ = parts_.walks.walk_all((full_ || thorough_) && !accounts_.is_by_name() ? Search::everywhere : Search::beside);
  for (std::size_t i = 0; i < parts_.roster.roots.size(); ++i)
    parts_.rooms.ask(i, true);
}

void Flush::advance() {
  look_at_destination();
  const bool ready = parts_.walks.have_walked(walks_) && !parts_.rooms.is_asking();
  if (ready && !accounts_marked_) mark_accounts();
  const Time now = Clock::now();
  const bool late = deadline_ && now >= *deadline_;
  if (late || !waits()) return finish(survey());
  if (now - last_progress_ > k_progress) tell_progress(survey());
}

void Flush::mark_accounts() {
  accounts_marked_ = true;
  for (auto& [id, account] : parts_.roster.accounts) {
    if (!is_chosen(account)) continue;
    account.wanted_generation = std::max(account.wanted_generation, generation_);  // another may be younger
    account.work.structure = true;
    account.work.full |= full_;
    account.work.compare |= full_;
    account.not_before = {};
    parts_.schedule.add(account);
  }
  parts_.schedule.dispatch();
  if (!accounts_.is_all() || !parts_.lanes.is_connected()) return;
  lists_accounts_ = true;
  parts_.checks.list_accounts([self = shared_from_this(), this] {
    lists_accounts_ = false;
    asio::post(parts_.loop, [self, this] {
      if (!has_ended()) advance();
    });
  });
}

/// The destination's side of the check of both trees: each account that differs there is not satisfied any more and has
/// another turn.
void Flush::look_at_destination() {
  if (looks_ != Looks::to_ask || !parts_.lanes.is_connected()) return;
  looks_ = Looks::asked;
  std::vector<AccountId> ids;
  for (const auto& [id, account] : parts_.roster.accounts) {
    if (is_chosen(account)) ids.push_back(id);
  }
  parts_.checks.check(ids, [self = shared_from_this(), this](const auto& unasked) { looked(unasked); });
}

/// A root that the receiver cannot use is asked about again, at each tick; when that lasts, a person is needed.
void Flush::looked(const std::vector<DestinationChecks::Unasked>& unasked) {
  constexpr auto k_patience = std::chrono::seconds(3);
  const bool is_cut_off = std::any_of(unasked.begin(), unasked.end(),
                                      [](const auto& one) { return one.error.code == ErrorCode::cancelled; });
  unlooked_ = is_cut_off ? std::vector<DestinationChecks::Unasked>() : unasked;
  if (unlooked_.empty()) {
    unlooked_since_.reset();
  } else if (!unlooked_since_) {
    unlooked_since_ = Clock::now();
  }
  const bool lasts = unlooked_since_ && Clock::now() - *unlooked_since_ >= k_patience;
  looks_ = unasked.empty() || lasts ? Looks::known : Looks::to_ask;
  if (looks_ == Looks::to_ask) return;  // at the next tick
  asio::post(parts_.loop, [self = shared_from_this()] {
    if (!self->has_ended()) self->advance();
  });
}

/// Whether anything waits that ends by itself. Asked at the end of each turn, of all accounts: so it says no more.
bool Flush::waits() {
  if (!accounts_marked_ || waits_for_looks()) return true;
  const auto is_waited_for = [&](const Account& account) {
    if (account.verified_generation >= generation_) return false;
    if (!is_chosen(account) || parts_.roster.root_of(account).removed) return false;
    return standing(facts(account)).end == FlushEnd::waits;
  };
  // Mostly it is still the one that it was, and thousands of others need not be asked at the end of each turn.
  const Account* last = parts_.roster.find(waited_for_);
  if (last != nullptr && is_waited_for(*last)) return true;
  const auto& accounts = parts_.roster.accounts;
  const auto found = std::find_if(accounts.begin(), accounts.end(),
                                  [&](const auto& account) { return is_waited_for(account.second); });
  if (found != accounts.end()) waited_for_ = found->first;
  return found != accounts.end();
}

/// What of the flush is done, what waits and for what, and what cannot end without a person.
Survey Flush::survey() const {
  Survey survey;
  for (std::size_t i = 0; i < parts_.roster.roots.size(); ++i) {
    const Root& root = parts_.roster.roots[i];
    if (!root.removed && roots_.contains(root)) survey_root(i, survey);
  }
  if (waits_for_looks()) survey.waits_for("", "", "the destination is being looked at");
  for (const auto& [root, error] : unlooked_)
    survey.left_out.push_back({{"code", to_string(error.code)}, {"root", root}, {"detail", error.message()}});
  for (const auto& [id, account] : parts_.roster.accounts) {
    if (is_chosen(account) && !parts_.roster.root_of(account).removed) survey_account(account, survey);
  }
  if (survey.accounts == 0 && !accounts_.is_all()) {
    survey.left_out.push_back({{"code", "no-accounts"}, {"detail", "no account matches '" + accounts_.text() + "'"}});
  }
  if (survey.waits_for_resume) {
    survey.left_out.push_back({{"code", "paused"}, {"detail", "the agent is paused; maildirsync resume"}});
  }
  return survey;
}

void Flush::survey_root(std::size_t index, Survey& survey) const {
  const Root& root = parts_.roster.roots[index];
  if (index < walks_.size() && root.discoveries < walks_[index]) {
    survey.waits_for(root.config.name, "", "the root is being walked");
  }
  const bool may_be_empty = parts_.roster.may_be_empty(root);
  ++(root.mode == config::Mode::drain ? survey.drained_roots : survey.mirrored_roots);
  const bool has_accounts = parts_.roster.has_accounts(index);
  if (!may_be_empty && ((thorough_ && !root.is_held() && !has_accounts) || root.is_left_empty(has_accounts))) {
    survey.left_out.push_back({{"code", "no-accounts"}, {"root", root.config.name}, {"detail", no_accounts(root)}});
  }
  if (root.asks_for_room && !accounts_marked_) {
    survey.waits_for(root.config.name, "", "the receiver is asked whether there is room");
  }
  if (root.is_held()) {
    survey.left_out.push_back(
        {{"code", root.hold_code()}, {"root", root.config.name}, {"detail", root.held_because()}});
  }
  if (accounts_.is_by_name()) return;
  for (const auto& problem : root.problems) {
    if (problem.code == ErrorCode::unwatched) continue;  // walked by this flush all the same
    survey.left_out.push_back({{"code", to_string(problem.code)},
                               {"root", root.config.name},
                               {"path", problem.path},
                               {"detail", problem.detail}});
  }
}

void Flush::survey_account(const Account& account, Survey& survey) const {
  const std::string& root = parts_.roster.root_of(account).config.name;
  ++survey.accounts;
  survey.folders += account.folders;
  survey.messages += account.messages;
  const auto stands = standing(facts(account));
  if (stands.end == FlushEnd::waits) survey.waits_for(root, account.name, stands.cause);
  if (stands.end == FlushEnd::cannot && stands.code == "paused") {
    survey.waits_for_resume = true;  // said once, of all
  } else if (stands.end == FlushEnd::cannot) {
    survey.left_out.push_back(
        {{"code", stands.code}, {"root", root}, {"account", account.name}, {"detail", stands.cause}});
  }
  for (const auto& [path, problem] : account.problems) {
    if (problem.code == ErrorCode::unwatched) continue;  // looked at by this flush all the same
    survey.left_out.push_back({{"code", to_string(problem.code)},
                               {"root", root},
                               {"account", account.name},
                               {"path", path},
                               {"detail", problem.detail}});
  }
}

FlushFacts Flush::facts(const Account& account) const {
  const Root& root = parts_.roster.root_of(account);
  FlushFacts facts;
  facts.satisfied = accounts_marked_ && account.verified_generation >= generation_;
  if (root.is_held()) {
    facts.root_hold = root.held_because();
    facts.root_hold_code = root.hold_code();
  }
  if (account.held) {
    facts.account_hold = account.hold_reason;
    facts.account_hold_code = to_string(account.hold_code);
  }
  facts.paused = parts_.schedule.is_paused() && accounts_marked_;
  facts.connected = parts_.lanes.is_connected();
  facts.complete = account.complete;
  facts.removals_wait = account.unclean.removals_wait;
  facts.settles_there = account.unclean.settles_there;
  facts.refused = account.unclean.refused;
  facts.unrested = account.unclean.unrested;
  if (account.queued) facts.before_it = parts_.schedule.live() + parts_.schedule.bulk() - 1;
  if (accounts_marked_ && account.awaits_discovery && !root.discovering) {
    const auto* why = root.problems.empty() ? nullptr : &root.problems.front();
    facts.not_found_code = to_string(why != nullptr ? why->code : ErrorCode::vanished);
    facts.not_found = "the walk of the root did not reach its directory" + (why != nullptr ? ": " + why->detail : "");
  }
  if (account.turn) {
    facts.in_turn = true;
    facts.to_send = account.turn->pending_messages;
    facts.looked = account.turn->lane_done;
    facts.answered = account.turn->acknowledged;
    if (facts.looked) facts.sent = account.turn->report.operations;
  }
  return facts;
}

/// What every account waits for.
std::optional<std::string> Flush::cause_of_all() const {
  if (parts_.lanes.is_connected()) return std::nullopt;
  const auto& error = parts_.lanes.error();
  return "the receiver is not connected" + (error ? ": " + error->message() : "");
}

void Flush::tell_progress(const Survey& survey) {
  if (survey.waits.empty()) return;
  last_progress_ = Clock::now();
  const auto [pending_messages, pending_bytes] = pending(parts_.roster);
  const json& first = survey.waits.front();
  const std::string who = first.value("account", first.value("root", ""));
  progress({{"pending_accounts", survey.waiting_accounts},
            {"accounts", survey.accounts},
            {"pending_messages", pending_messages},
            {"pending_bytes", pending_bytes},
            {"waits_for", cause_of_all().value_or((who.empty() ? "" : who + ": ") + first.value("cause", ""))}});
}

void Flush::finish(Survey survey) {
  const bool done = survey.waits.empty();
  for (auto& one : survey.waits) {
    one.erase("cause");
    survey.left_out.push_back(std::move(one));
  }
  if (!done) {
    if (const auto cause = cause_of_all()) survey.left_out.push_back({{"code", "waiting"}, {"detail", *cause}});
  }
  auto extra = extra_mail(
      parts_, [this](const Account& account) { return is_chosen(account); },
      [this](const Root& root) { return accounts_.is_all() && roots_.contains(root); });
  end({{"complete", done && survey.left_out.empty()},
       {"elapsed_seconds", os::seconds_since(start_)},
       {"accounts", survey.accounts},
       {"folders", survey.folders},
       {"messages", survey.messages},
       {"extra", extra.files},
       {"extra_whole_accounts", extra.whole_accounts},
       {"mirrored_roots", survey.mirrored_roots},
       {"drained_roots", survey.drained_roots},
       {"extras", std::move(extra.first)},
       {"left_out", std::move(survey.left_out)}});
}

}  // namespace

void flush(Requests& requests, const json& request, Reply reply) {
  const ChosenRoots roots(request, requests.parts().roster);
  if (!roots.error().empty()) return reply->finish(control::error("usage", roots.error()));
  requests.begin(std::make_shared<Flush>(requests, request, std::move(reply)));
}

}  // namespace maildirsync::agent
