#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/destination/destinations.h"

namespace maildirsync::agent {

/// The check of the destination's tree, one look a folder: at each new session, by each flush, and slowly all the time.
/// Event loop only, but for the questions themselves.
class DestinationChecks {
 public:
  DestinationChecks(asio::io_context& loop, Roster& roster, State& state, Lanes& lanes, Schedule& schedule,
                    Destinations& destinations)
      : loop_(loop), roster_(roster), state_(state), lanes_(lanes), schedule_(schedule), destinations_(destinations) {}

  /// Has the receiver say which of these accounts look otherwise than they were left; those are compared. Of one that
  /// had a turn meanwhile it is asked again. `done` is called on the loop: whether all of them were asked about. Those
  /// that differ have no flush satisfied by then, unless their comparison is over already.
  using Done = std::function<void(bool asked)>;
  void check(const std::vector<AccountId>& ids, Done done);
  void check_all();
  /// A part of the accounts, so that each has its turn within ten minutes.
  void check_some();
  /// It does not look there as the agent left it.
  void compare(AccountId id);

  void stop() { askers_.join(); }

 private:
  bool is_looked_after(const Account& account) const;
  struct Check {
    std::vector<AccountId> ids;                         ///< still to be asked about
    std::unordered_map<AccountId, std::uint64_t> idle;  ///< without a turn when they were asked about, and their turns
    int rounds = 0;
    Done done;
  };
  struct Answer {
    std::vector<AccountId> differing;
    std::string failed_root;  ///< with `error`
    std::optional<Error> error;
  };
  void ask(const std::shared_ptr<Check>& check);
  void answered(const std::shared_ptr<Check>& check, Answer answer);
  void ask_again(const std::shared_ptr<Check>& check);

  asio::io_context& loop_;
  Roster& roster_;
  State& state_;
  Lanes& lanes_;
  Schedule& schedule_;
  Destinations& destinations_;
  AccountId part_ = 0;  ///< of the accounts, that was checked last
  Time last_{};
  asio::thread_pool askers_{1};
};

}  // namespace maildirsync::agent
