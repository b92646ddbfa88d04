// Of an agent's processes one is obeyed (daemon/decisions/key_holder.h). Here is what a session and the receiver see of
// that: who is connected, whether the one that is obeyed still lives, and which connections have to begin anew.
//
//   greeting ── the holder is away, or the same ──▶ obeyed
//            └─ another process is connected: it is asked for a sign of life, for some seconds
//                 ├─ its connection ends ─────────▶ obeyed
//                 ├─ it answers ──────────────────▶ refused: a copy, until a person adopts here
//                 └─ neither ─────────────────────▶ waits, connected; looked at each second
//
// Whoever becomes what it was not when it greeted is asked to begin anew: only a greeting says all that an agent needs.

#include <algorithm>

#include <asio/post.hpp>

#include "common/net/await.h"
#include "common/service/log.h"
#include "daemon/session/destinations.h"
#include "daemon/session/on_thread.h"
#include "daemon/session/receiver.h"

namespace maildirsync::daemon {

using namespace std::chrono_literals;

using net::k_await;

namespace {

constexpr auto k_wait_for_holder = 6s;  // an agent waits 15 s for our greeting
constexpr auto k_look = 50ms;
/// Numbers of questions for a sign of life; an agent counts its own pings from 1.
constexpr std::uint64_t k_first_question = std::uint64_t{1} << 63U;
/// An agent of an earlier release answers no question, but pings every 5 s; what it sent before may come late.
constexpr auto k_late = 2s;

}  // namespace

// ---- a session ----

/// What the keeper says, once it can be told whether the process that is obeyed lives.
asio::awaitable<DecisionKeeper::Answer> Session::ask_keeper(const DecisionKeeper::Agent& agent) {
  const auto began = std::chrono::steady_clock::now();
  const auto ask = [&](bool is_here) {
    return on_thread(services_.threads, [&agent, is_here, this] { return services_.decisions.greet(agent, is_here); });
  };
  auto answer = co_await ask(services_.holder_is_here(agent.fingerprint, agent.session));
  if (answer.judgement.standing != Standing::waits) co_return answer;
  co_await wait_for_holder(agent);
  const bool is_here = services_.holder_is_here(agent.fingerprint, agent.session);
  if (is_here && services_.holder_lives(agent.fingerprint, began)) {
    co_await on_thread(services_.threads, [&] {
      services_.decisions.holders().note_copy(agent.fingerprint, process_);
      return true;
    });
  }
  co_return co_await ask(is_here);
}

asio::awaitable<void> Session::wait_for_holder(const DecisionKeeper::Agent& agent) {
  const auto began = std::chrono::steady_clock::now();
  asio::steady_timer moment(services_.loop);
  services_.ask_holder(agent.fingerprint);
  while (services_.holder_is_here(agent.fingerprint, agent.session) &&
         !services_.holder_lives(agent.fingerprint, began) &&
         std::chrono::steady_clock::now() - began < k_wait_for_holder) {
    moment.expires_after(k_look);
    co_await moment.async_wait(k_await);
  }
}

bool Session::is_outdated() const {
  if (!greeted_ || !tenure_ || agent_session_ == 0) return false;
  return tenure_->obeys(agent_session_) != (judgement_.standing == Standing::obeyed);
}

void Session::ask_for_life() {
  asked_ = std::max(asked_ + 1, k_first_question);
  asked_at_ = std::chrono::steady_clock::now();
  wire::Header question = pong();
  question.mutable_pong()->set_ask(asked_);
  send(question);
}

void Session::note_ping(const wire::Ping& ping) {
  const bool is_answer = asked_ != 0 && ping.number() == asked_;
  const bool is_of_earlier_release = asked_ != 0 && !process_.tells_place && heard_ - asked_at_ > k_late;
  if (is_answer || is_of_earlier_release) proof_of_life_ = asked_at_;
  if (!process_.tells_place || ping.lease().number() == kept_lease_) return;
  kept_lease_ = ping.lease().number();
  services_.threads.post(
      [&holders = services_.decisions.holders(), fingerprint = peer_->fingerprint, session = agent_session_,
       lease = Lease{ping.lease().number(), ping.lease().id()}] { holders.note_kept(fingerprint, session, lease); });
}

/// But for its number.
wire::Header Session::pong() {
  wire::Header header;
  auto& pong = *header.mutable_pong();
  for (const auto& [name, root] : peer_->roots)
    *pong.add_destinations() = destination_of(root);
  if (tenure_ && process_.tells_place && agent_session_ != 0 && tenure_->is_of(agent_session_)) {
    const Lease lease = tenure_->lease();
    pong.mutable_lease()->set_number(lease.number);
    pong.mutable_lease()->set_id(lease.id);
  }
  return header;
}

void Session::note_copy() {
  services_.threads.post([&holders = services_.decisions.holders(), fingerprint = peer_->fingerprint,
                          process = process_] { holders.note_copy(fingerprint, process); });
}

// ---- the receiver ----

bool Receiver::is_of_holder(const Session& session, const std::string& fingerprint) const {
  return session.peer() && session.peer()->fingerprint == fingerprint && !session.has_ended() &&
         session.process() != 0 && decisions_->holders().tenure(fingerprint)->is_of(session.process());
}

void Receiver::begin_with_processes() {
  services_.holder_is_here = [this](const std::string& fingerprint, std::uint64_t session) {
    return std::any_of(sessions_.begin(), sessions_.end(),
                       [&](const auto& one) { return is_of_holder(*one, fingerprint) && one->process() != session; });
  };
  services_.ask_holder = [this](const std::string& fingerprint) {
    for (const auto& one : sessions_) {
      if (is_of_holder(*one, fingerprint)) one->ask_for_life();
    }
  };
  services_.holder_lives = [this](const std::string& fingerprint, std::chrono::steady_clock::time_point since) {
    return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& one) {
      return is_of_holder(*one, fingerprint) && one->proof_of_life() >= since;
    });
  };
  services_.look_at_processes = [this] { look_at_processes(); };
}

/// A connection of each agent that is not obeyed, because another one with its key is.
std::vector<std::shared_ptr<Session>> Receiver::held_agents() const {
  std::vector<std::shared_ptr<Session>> held;
  std::set<std::pair<std::string, std::uint64_t>> known;
  for (const auto& session : sessions_) {
    if (session->refusal().empty() || !session->peer() || session->has_ended()) continue;
    if (known.emplace(session->peer()->name, session->process()).second) held.push_back(session);
  }
  return held;
}

/// Each second, and when a person has said which is to be obeyed.
void Receiver::look_at_processes() {
  std::set<std::string> to_be_asked;
  for (const auto& session : std::set(sessions_)) {
    if (!session->peer() || session->has_ended()) continue;
    const std::string fingerprint = session->peer()->fingerprint;
    if (session->is_outdated()) {
      session->end(ErrorCode::cancelled, session->judgement().standing == Standing::obeyed
                                             ? "another agent with the same key has taken this one's place"
                                             : "this agent has taken the place of another one with the same key");
    } else if (session->judgement().standing == Standing::waits) {
      if (!services_.holder_is_here(fingerprint, session->process())) {
        session->end(ErrorCode::cancelled, "the other agent with the same key is gone; this one goes on");
      } else if (services_.holder_lives(fingerprint, session->begun())) {
        session->note_copy();
        session->end(ErrorCode::cancelled, "another agent with the same key is there, too");
      } else {
        to_be_asked.insert(fingerprint);
      }
    }
  }
  for (const auto& fingerprint : to_be_asked)
    services_.ask_holder(fingerprint);
}

}  // namespace maildirsync::daemon
