#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "agent/accounts/mount_holds.h"
#include "agent/accounts/schedule.h"
#include "agent/destination/agreements.h"
#include "agent/destination/overlaps.h"
#include "agent/destination/unclean_ends.h"
#include "agent/watch/watcher.h"
#include "common/os/threads.h"

namespace maildirsync::agent {

/// Walks the roots for their accounts, on threads of their own, and keeps the roster as the walks find it: new
/// accounts, accounts that are gone, and roots that cannot be believed. Event loop only, but for the walk itself.
class Walks {
 public:
  struct Given {
    asio::io_context& loop;
    os::Threads& threads;  ///< that walk
    Roster& roster;
    State& state;
    Watcher& watcher;
    Keeper& keeper;
    Holds& holds;
    MountHolds& mounts;
    Schedule& schedule;
    UncleanEnds& unclean_ends;
    Agreements& agreements;
    Overlaps& overlaps;
    std::function<void()> changed;  ///< after each walk
  };
  explicit Walks(const Given& given);

  /// Has a root walked, now or once the walk that is under way has ended.
  void walk(std::size_t root);
  /// Has every root walked anew; `have_walked` tells when that is done.
  std::vector<std::uint64_t> walk_all(Search search);
  bool have_walked(const std::vector<std::uint64_t>& walks) const;

  /// After a reload.
  void drop_accounts_of_other_layout(std::size_t root);
  void tell_of_other_layout(std::size_t root, std::size_t accounts) const;
  void drop_account(AccountId id);

 private:
  struct Added {
    AccountId id = 0;
    Discovery::Found found;
  };
  void walked(std::size_t index, const Discovery& discovery, Search search);
  void ended(std::size_t index);
  static void note_problems(Root& root, const Discovery& discovery, Search search);
  std::vector<Discovery::Found> find_accounts(std::size_t index, const Discovery& discovery, bool is_another);
  bool must_hold(Root& root, const Discovery& discovery);
  void is_not_found(Account& account, bool whole_walk);
  void is_found(Account& account);
  void drop_excluded(std::size_t root);
  void add_account(std::size_t root, const Added& added);
  static bool may_move(const Account& account, const Root& to);
  const Root* next_root_of(const Account& account) const;
  std::vector<Discovery::Found> take_over(std::size_t root, std::vector<Discovery::Found> found);
  void take_over(std::size_t root, const Discovery::Found& found, Account& from);

  asio::io_context& loop_;
  os::Threads& threads_;
  Roster& roster_;
  State& state_;
  Watcher& watcher_;
  Keeper& keeper_;
  Holds& holds_;
  MountHolds& mounts_;
  Schedule& schedule_;
  UncleanEnds& unclean_ends_;
  Agreements& agreements_;
  Overlaps& overlaps_;
  std::function<void()> changed_;
};

}  // namespace maildirsync::agent
