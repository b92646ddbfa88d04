#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "agent/accounts/stalls.h"
#include "agent/destination/own_place.h"
#include "agent/engine/parts.h"
#include "agent/watch/choice.h"
#include "common/os/threads.h"

namespace maildirsync::agent {

/// What the engine tells of; and what it waits for at its end. Called on the event loop.
class EngineClient {
 public:
  virtual ~EngineClient() = default;
  /// Something changed that a request may wait for.
  virtual void changed() = 0;
  virtual void each_second() = 0;
  /// What else is said and heard when a connection begins.
  virtual void greet(wire::Hello& hello) const = 0;
  virtual void heard(const wire::Hello& receiver) = 0;
  /// agent.toml says another mode of a root than before, or the same one again.
  virtual void mode_configured(std::size_t root, config::Mode mode) = 0;
  /// The agent ends: what is under way ends soon.
  virtual void cancel() = 0;
  virtual bool is_busy() const = 0;
};

/// The agent's heart: makes its parts, gives each what it needs, and keeps time. The parts are the owners of all state,
/// and live on the event loop. On threads of their own are turns (lanes), walks of roots, questions to the receiver
/// that wait for their answer, the writing of the state database (Keeper) and that of decisions.
class Engine {
 public:
  struct Given {
    config::Agent config;
    std::unique_ptr<State> state;
    std::unique_ptr<Decisions> decisions;
    Choice watcher;
    LinkSettings link;
    bool compare_all = false;  ///< the last run ended so that the state may lack what was sent
  };

  Engine(asio::io_context& loop, Given given);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Begins: known accounts, walks, watching, links. `client` must live until stop() has returned. Blocks on the state.
  Result<> start(EngineClient& client);
  /// Ends links and lanes; what is on its way is left to the next run.
  void stop();
  /// A new configuration (SIGHUP): roots, transfer, receiver and keys change without a restart.
  Result<> reload(config::Agent config, LinkSettings link);
  /// Which configuration this is, for `status`.
  void note_configuration(service::Configuration configuration) { configuration_ = std::move(configuration); }

  Parts parts();

 private:
  /// A root that does not answer keeps a thread.
  static constexpr std::size_t k_most_threads = 32;

  // roots.cpp: roots at the start, and after a reload
  Result<> add_root(const config::AgentRoot& config, Agreements::When when);
  Account& add_known_account(std::size_t root, const State::AccountRow& row, const std::string& name);
  Result<> reload_root(Root& root, const config::Agent& config);
  void drop_root(Root& root);

  void add_lane();
  void take_place_of_hanging_lanes();
  void link_up(std::size_t lane, const wire::Hello& receiver);
  void link_down(std::size_t lane, const Error& error, const std::vector<Sent>& lost);
  void meet(const wire::Hello& receiver);
  void tick();
  void follow_timetable();
  void retry_accounts(Time now);
  void look_at_roots(Time now);

  asio::io_context& loop_;
  config::Agent config_;
  std::unique_ptr<State> state_;
  std::unique_ptr<Watcher> watcher_;
  const std::string watcher_reason_;
  const bool compare_all_;
  service::Configuration configuration_;
  EngineClient* client_ = nullptr;
  Totals totals_;
  std::shared_ptr<Limiter> limiter_ = std::make_shared<Limiter>();
  os::Threads threads_{k_most_threads};  ///< walk roots, and wait for answers of the receiver

  Roster roster_;
  OwnPlace own_place_;
  Keeper keeper_;
  Lanes lanes_;
  Schedule schedule_;
  Stalls stalls_;
  Holds holds_;
  MountHolds mount_holds_;
  UncleanEnds unclean_ends_;
  Walks walks_;
  Watching watching_;
  Agreements agreements_;
  Overlaps overlaps_;
  Destinations destinations_;
  DestinationChecks checks_;
  Rooms rooms_;
  TurnEnds ends_;
  Acknowledgements acknowledgements_;
  Releases releases_;
  Orders orders_;

  asio::steady_timer tick_timer_;
  std::string receiver_instance_;
  Time last_retry_{}, last_retry_of_obstacles_ = Clock::now(), last_look_at_unwatched_{};
};

}  // namespace maildirsync::agent
