#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/accounts/keeper.h"
#include "agent/accounts/lanes.h"
#include "agent/accounts/roster.h"
#include "agent/accounts/schedule.h"
#include "agent/decisions/decisions.h"
#include "agent/destination/agreed_pause.h"
#include "agent/destination/kept_releases.h"

namespace maildirsync::agent {

/// What was decided of each root and of the pause, and that both sides know the same before anything is sent. Event
/// loop only.
class Agreements {
 public:
  struct Given {
    asio::io_context& loop;
    Roster& roster;
    State& state;
    std::unique_ptr<Decisions> decisions;
    Keeper& keeper;
    Lanes& lanes;
    Schedule& schedule;
    std::function<void()> changed;  ///< a root has begun to wait for a person
  };
  explicit Agreements(Given given);

  enum class When : std::uint8_t { at_start, while_running };
  /// What the file says of a root; what an earlier release kept in the state; and whether agent.toml says something
  /// else than it did then. At the start it blocks.
  Result<> begin(std::size_t root, When when);
  /// The same for the pause, at the start. Blocks.
  void begin_pause();

  Decisions& decisions() { return *decisions_; }
  const Decisions& decisions() const { return *decisions_; }
  /// Empty before the first decision.
  const decisions::Chain& decided(const Root& root) const;

  // With the receiver.
  /// Adds to our greeting what was decided.
  void greet(wire::Hello& hello) const;
  /// What its greeting says.
  void heard(const wire::Hello& receiver);
  /// Has the receiver keep what was decided here; `then` gets "" or why it does not have it. `adopts`: a person said
  /// that this agent takes the place of another one.
  void tell(std::size_t root, bool adopts = false, std::function<void(std::string untold)> then = {});
  /// The receiver refused an operation of that root by what it knows: somebody decided something meanwhile, or it has
  /// lost what it knew.
  void disagreed(const std::string& root);
  /// Both sides know the same, or the receiver keeps no decisions: turns begin.
  void agree(std::size_t root);
  /// Every ten ticks: tells again what is not agreed on, and notes when a root has been compared as a whole.
  void check();

  AgreedPause& pause() { return pause_; }
  KeptReleases& releases() { return releases_; }

  // The record of what was acknowledged.
  AskAboutUsers ask_about_users(const Account& account) const;
  /// TurnOrder::given_until.
  std::int64_t given_until_by_decision(const Account& account) const;
  /// Each account is compared before it goes on.
  void begin_comparing(std::size_t root);
  /// The record of the root is whole by what is decided now.
  void note_record_is_by(std::size_t root);

 private:
  void heard_of_root(std::size_t root, const wire::RootDecisions& said);
  void begin_first(std::size_t root, bool alone);
  void adopt(std::size_t root);
  void wait_for_person(std::size_t root, Error why);
  void state_is_older();
  void check_compared(std::size_t root);

  asio::io_context& loop_;
  Roster& roster_;
  State& state_;
  std::unique_ptr<Decisions> decisions_;
  Keeper& keeper_;
  Lanes& lanes_;
  Schedule& schedule_;
  AgreedPause pause_;
  KeptReleases releases_;
  std::function<void()> changed_;
  unsigned ticks_ = 0;
  bool older_state_ = false;  ///< the receiver said so, in this run
};

}  // namespace maildirsync::agent
