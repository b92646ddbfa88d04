#include <algorithm>

#include <asio/post.hpp>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"
#include "agent/requests/flush_standing.h"
#include "common/service/event.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

constexpr auto k_progress = std::chrono::milliseconds(500);

double seconds_since(Time start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// A flush on its way: first every root is walked anew, then every account, then it waits for the receiver.
struct Engine::Flush {
  std::string glob;
  bool full = false;
  bool thorough = false;  ///< for a proof: also a root without accounts is left out
  std::uint64_t generation = 0;
  Time start = Clock::now();
  std::optional<Time> deadline;
  std::shared_ptr<control::Reply> reply;
  std::vector<std::uint64_t> discoveries;  ///< of each root, that must have finished
  bool accounts_marked = false;
  enum class Looks : std::uint8_t { to_ask, asked, known } looks = Looks::to_ask;  ///< at the destination's tree
  Time last_progress{};
  mutable AccountId waited_for = 0;  ///< one that was, when it was asked last
};

/// Where a flush stands at a moment.
struct Engine::FlushSurvey {
  std::uint64_t accounts = 0, folders = 0, messages = 0;
  std::uint64_t extra = 0;        ///< files and folders that only the destination has
  json extras = json::array();    ///< the first accounts that have such
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

void Engine::handle(const json& request, std::shared_ptr<control::Reply> reply) {
  const std::string command = request.value("command", "");
  const std::string glob = request.value("account", "");
  if (command == "status") {
    reply->finish(status(glob));
  } else if (command == "flush") {
    flush(request, std::move(reply));
  } else if (command == "verify") {
    verify(request, std::move(reply));
  } else if (command == "repair-index") {
    repair_index(glob, std::move(reply));
  } else if (command == "pause" || command == "resume") {
    set_paused(command == "pause", std::move(reply));
  } else if (command == "release" || command == "held") {
    release(request, reply);
  } else if (command == "drain" || command == "mirror") {
    set_mode(request, command == "drain" ? config::Mode::drain : config::Mode::mirror, std::move(reply));
  } else if (command == "plan") {
    plan(request, std::move(reply));
  } else if (command == "note") {
    note_step(request, *reply);
  } else if (command == "events") {
    reply->finish({{"events", watcher_->recent()}});
  } else {
    reply->finish(control::error("usage", "the agent does not know the command '" + command + "'"));
  }
}

// ---- flush ----

void Engine::flush(const json& request, std::shared_ptr<control::Reply> reply) {
  auto flush = std::make_shared<Flush>();
  flush->glob = request.value("account", "");
  flush->full = request.value("full", false);
  flush->generation = ++generation_;
  constexpr double k_longest = 365.0 * 24 * 60 * 60;  // a year: what is longer may not fit the clock
  const double timeout = std::min(request.value("timeout", 0.0), k_longest);
  if (timeout > 0) {
    flush->deadline =
        flush->start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout));
  }
  flush->reply = std::move(reply);
  flush->thorough = request.value("thorough", false);
  flush->discoveries = walk_roots(flush->full || flush->thorough ? Search::everywhere : Search::beside);
  for (std::size_t i = 0; i < roots_.size(); ++i)
    ask_for_room(i, true);
  flushes_.push_back(flush);
  check_flushes();
}

void Engine::flush_accounts(const std::shared_ptr<Flush>& flush) {
  flush->accounts_marked = true;
  for (auto& [id, account] : accounts_) {
    if (!maildir::is_chosen(flush->glob, account.name)) continue;
    account.wanted_generation = flush->generation;
    account.work.structure = true;
    account.work.full |= flush->full;
    account.work.compare |= flush->full;
    account.not_before = {};
    schedule(account);
  }
  dispatch();
}

void Engine::check_flushes() {
  check_verify();
  for (const auto& flush : std::vector(flushes_))
    look_for(flush);
  std::erase_if(flushes_, [this](const std::shared_ptr<Flush>& flush) {
    const bool ready = have_walked(flush->discoveries) && !is_asking_for_room();
    if (ready && !flush->accounts_marked) flush_accounts(flush);
    const Time now = Clock::now();
    const bool late = flush->deadline && now >= *flush->deadline;
    if (!late && flush->reply->wanted() && waits(*flush)) {
      if (now - flush->last_progress > k_progress) tell_progress(*flush, survey(*flush));
      return false;
    }
    finish_flush(*flush, survey(*flush));
    return true;
  });
}

/// The destination's side of the check of both trees: whoever differs there has another turn. A full flush lists all
/// of it instead.
void Engine::look_for(const std::shared_ptr<Flush>& flush) {
  using Looks = Flush::Looks;
  if (flush->full) flush->looks = Looks::known;
  if (flush->looks != Looks::to_ask || !is_connected()) return;
  flush->looks = Looks::asked;
  std::vector<AccountId> ids;
  for (const auto& [id, account] : accounts_) {
    if (maildir::is_chosen(flush->glob, account.name)) ids.push_back(id);
  }
  check_looks(ids, [this, flush](const std::optional<std::vector<AccountId>>& differing) {
    flush->looks = differing ? Looks::known : Looks::to_ask;
    if (!differing) return;  // at the next tick again
    for (const AccountId id : *differing) {
      const auto found = accounts_.find(id);
      if (found == accounts_.end()) continue;
      found->second.wanted_generation = std::max(found->second.wanted_generation, flush->generation);
      found->second.verified_generation = std::min(found->second.verified_generation, flush->generation - 1);
      found->second.not_before = {};
      schedule(found->second);
    }
    dispatch();
    asio::post(loop_, [this] { check_flushes(); });
  });
}

bool Engine::waits_for_looks(const Flush& flush) const {
  return flush.looks != Flush::Looks::known && !paused_;
}

/// Whether anything waits that ends by itself. Asked at the end of each turn, of all accounts: so it says no more.
bool Engine::waits(const Flush& flush) const {
  if (!flush.accounts_marked || waits_for_looks(flush)) return true;
  const auto is_waited_for = [&](const Account& account) {
    if (account.verified_generation >= flush.generation) return false;
    if (!maildir::is_chosen(flush.glob, account.name) || roots_[account.root].removed) return false;
    return standing(flush_facts(flush, account)).end == FlushEnd::waits;
  };
  // Mostly it is still the one that it was, and thousands of others need not be asked at the end of each turn.
  const auto last = accounts_.find(flush.waited_for);
  if (last != accounts_.end() && is_waited_for(last->second)) return true;
  const auto found = std::find_if(accounts_.begin(), accounts_.end(),
                                  [&](const auto& account) { return is_waited_for(account.second); });
  if (found != accounts_.end()) flush.waited_for = found->first;
  return found != accounts_.end();
}

/// What of the flush is done, what waits and for what, and what cannot end without a person.
Engine::FlushSurvey Engine::survey(const Flush& flush) const {
  FlushSurvey survey;
  for (std::size_t r = 0; r < roots_.size(); ++r) {
    const Root& root = roots_[r];
    if (root.removed) continue;
    if (r < flush.discoveries.size() && root.discoveries < flush.discoveries[r]) {
      survey.waits_for(root.config.name, "", "the root is being walked");
    }
    if (flush.thorough && !root.is_held() && !has_accounts(r)) {
      survey.left_out.push_back({{"code", "no-accounts"}, {"root", root.config.name}, {"detail", no_accounts(root)}});
    }
    if (root.asks_for_room && !flush.accounts_marked) {
      survey.waits_for(root.config.name, "", "the receiver is asked whether there is room");
    }
    if (root.is_held()) {
      survey.left_out.push_back(
          {{"code", root.hold_code()}, {"root", root.config.name}, {"detail", root.held_because()}});
    }
    for (const auto& problem : root.problems) {
      if (problem.code == ErrorCode::unwatched) continue;  // walked by this flush all the same
      survey.left_out.push_back({{"code", to_string(problem.code)},
                                 {"root", root.config.name},
                                 {"path", problem.path},
                                 {"detail", problem.detail}});
    }
  }
  if (waits_for_looks(flush)) survey.waits_for("", "", "the destination is being looked at");
  for (const auto& [id, account] : accounts_) {
    if (!maildir::is_chosen(flush.glob, account.name) || roots_[account.root].removed) continue;
    survey_account(flush, account, survey);
  }
  if (survey.accounts == 0 && !flush.glob.empty()) {
    survey.left_out.push_back({{"code", "no-accounts"}, {"detail", "no account matches '" + flush.glob + "'"}});
  }
  if (survey.waits_for_resume) {
    survey.left_out.push_back({{"code", "paused"}, {"detail", "the agent is paused; maildirsync resume"}});
  }
  return survey;
}

void Engine::survey_account(const Flush& flush, const Account& account, FlushSurvey& survey) const {
  const std::string& root = roots_[account.root].config.name;
  ++survey.accounts;
  survey.folders += account.folders;
  survey.messages += account.messages;
  constexpr std::size_t k_most_extras = 100;
  if (account.extra > 0 && roots_[account.root].mode == config::Mode::mirror) {
    survey.extra += account.extra;
    if (survey.extras.size() < k_most_extras) {
      survey.extras.push_back({{"root", root}, {"account", account.name}, {"extra", account.extra}});
    }
  }
  const auto stands = standing(flush_facts(flush, account));
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

FlushFacts Engine::flush_facts(const Flush& flush, const Account& account) const {
  const Root& root = roots_[account.root];
  FlushFacts facts;
  facts.satisfied = flush.accounts_marked && account.verified_generation >= flush.generation;
  if (root.is_held()) {
    facts.root_hold = root.held_because();
    facts.root_hold_code = root.hold_code();
  }
  if (account.held) {
    facts.account_hold = account.hold_reason;
    facts.account_hold_code = to_string(account.hold_code);
  }
  facts.paused = paused_ && flush.accounts_marked;
  facts.connected = is_connected();
  facts.complete = account.complete;
  facts.removals_wait = account.unclean.removals_wait;
  facts.settles_there = account.unclean.settles_there;
  facts.refused = account.unclean.refused;
  facts.unrested = account.unclean.unrested;
  if (account.queued) facts.before_it = live_.size() + bulk_.size() - 1;
  if (flush.accounts_marked && account.awaits_discovery && !root.discovering) {
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

void Engine::tell_progress(Flush& flush, const FlushSurvey& survey) {
  if (survey.waits.empty()) return;
  flush.last_progress = Clock::now();
  const auto [pending_messages, pending_bytes] = pending();
  const json& first = survey.waits.front();
  const std::string who = first.value("account", first.value("root", ""));
  flush.reply->progress(
      {{"progress",
        {{"pending_accounts", survey.waiting_accounts},
         {"accounts", survey.accounts},
         {"pending_messages", pending_messages},
         {"pending_bytes", pending_bytes},
         {"waits_for", cause_of_all().value_or((who.empty() ? "" : who + ": ") + first.value("cause", ""))}}}});
}

/// What every account waits for.
std::optional<std::string> Engine::cause_of_all() const {
  if (is_connected()) return std::nullopt;
  return "the receiver is not connected" + (link_error_ ? ": " + link_error_->message() : "");
}

void Engine::finish_flush(Flush& flush, FlushSurvey survey) {
  const bool done = survey.waits.empty();
  for (auto& one : survey.waits) {
    one.erase("cause");
    survey.left_out.push_back(std::move(one));
  }
  if (!done) {
    if (const auto cause = cause_of_all()) survey.left_out.push_back({{"code", "waiting"}, {"detail", *cause}});
  }
  flush.reply->finish({{"complete", done && survey.left_out.empty()},
                       {"elapsed_seconds", seconds_since(flush.start)},
                       {"accounts", survey.accounts},
                       {"folders", survey.folders},
                       {"messages", survey.messages},
                       {"extra", survey.extra},
                       {"extras", std::move(survey.extras)},
                       {"left_out", std::move(survey.left_out)}});
}

// ---- reload ----

Result<> Engine::reload(config::Agent config, LinkSettings link) {
  config_.transfer = config.transfer;
  link.session = link_settings_.session;
  link.instance = link_settings_.instance;
  link.add_to_greeting = link_settings_.add_to_greeting;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    Root& root = roots_[i];
    if (root.removed) continue;
    const auto kept = std::find_if(config.roots.begin(), config.roots.end(),
                                   [&](const config::AgentRoot& r) { return r.name == root.config.name; });
    if (kept == config.roots.end()) {
      root.removed = true;
      for (const Account* account : accounts_of(i))
        drop_account(account->id);
      spdlog::info("root-removed root={}", root.config.name);
      continue;
    }
    auto layout = maildir::Layout::parse(kept->accounts);
    if (!layout) return Failure(layout.error());
    const bool other_mode = root.config.mode != kept->mode;
    root.config = *kept;
    root.layout = std::move(*layout);
    drop_accounts_of_other_layout(i);
    if (other_mode) change_mode(i, kept->mode, "agent.toml");
    discover_root(i);
  }
  for (const auto& added : config.roots) {
    const bool known = std::any_of(roots_.begin(), roots_.end(),
                                   [&](const Root& r) { return !r.removed && r.config.name == added.name; });
    if (known) continue;
    MAILDIRSYNC_TRY(add_root(added));
    spdlog::info("root-added root={}", added.name);
  }
  const bool reconnect = link.own_fingerprint != link_settings_.own_fingerprint ||
                         link.receiver_fingerprint != link_settings_.receiver_fingerprint ||
                         link.receiver.text() != link_settings_.receiver.text();
  if (config.watch.backend != config_.watch.backend) {
    spdlog::warn("reload-incomplete key=watch.backend detail=\"{} goes on watching until the agent is restarted\"",
                 watcher_->backend());
  }
  const bool another_receiver = link.receiver_fingerprint != link_settings_.receiver_fingerprint;
  link_settings_ = link;
  config_ = std::move(config);
  if (another_receiver) {
    for (auto& root : roots_)
      MAILDIRSYNC_TRY(recall_destination(root));
  }
  for (auto& lane : lanes_) {
    const auto settings = std::make_shared<const LinkSettings>(link_settings_);
    if (reconnect) {
      lane->link().restart(settings);
    } else {
      lane->link().use(settings);
    }
  }
  return {};
}

}  // namespace maildirsync::agent
