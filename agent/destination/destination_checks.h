#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
  /// had a turn meanwhile it is asked again. `done` is called on the loop, with the roots that the receiver does not
  /// look at. Those that differ have no flush satisfied by then, unless their comparison is over already.
  struct Unasked {
    std::string root;  ///< "" for all of them: there is no connection
    Error error;
  };
  using Done = std::function<void(const std::vector<Unasked>& unasked)>;
  void check(const std::vector<AccountId>& ids, Done done);
  void check_all();
  /// Has the receiver list the accounts of mirrored roots: what only the destination has goes into Root::only_there.
  /// `done` is called on the loop, also when nothing could be asked.
  void list_accounts(std::function<void()> done);
  /// A part of the accounts, so that each has its turn within ten minutes; and of each root, whether its directory at
  /// the destination can be used, so that this is known before mail comes for it.
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
    std::vector<Unasked> unasked;
    Done done;
  };
  struct Answer {
    std::vector<AccountId> differing;
    std::vector<std::string> looked_at;  ///< roots
    std::vector<Unasked> unasked;
  };
  void ask(const std::shared_ptr<Check>& check);
  void answered(const std::shared_ptr<Check>& check, Answer answer);
  void ask_again(const std::shared_ptr<Check>& check);
  void ask_whether_usable();
  struct Census {
    std::map<std::size_t, std::set<std::string>> unknown;  ///< by root: accounts that the destination alone has
    bool is_second = false;
    std::function<void()> done;
  };
  void take(const std::shared_ptr<Census>& census);
  void taken(const std::shared_ptr<Census>& census, const std::map<std::size_t, std::vector<std::string>>& listed);
  std::set<std::string> unknown_in(std::size_t root, const std::vector<std::string>& listed) const;
  void can_be_used(const std::string& root, const std::optional<Error>& error);

  asio::io_context& loop_;
  Roster& roster_;
  State& state_;
  Lanes& lanes_;
  Schedule& schedule_;
  Destinations& destinations_;
  AccountId part_ = 0;  ///< of the accounts, that was checked last
  Time last_{};
  bool is_asking_whether_usable_ = false;
  asio::thread_pool askers_{1};
};

}  // namespace maildirsync::agent
