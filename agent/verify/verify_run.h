#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>

#include "agent/link/link.h"
#include "agent/turn/work.h"
#include "agent/verify/account.h"
#include "common/maildir/layout.h"

namespace maildirsync::agent {

/// One run of `verify`: compares accounts, several at a time, on threads and a connection of its own, so that no lane
/// waits for it. Made, begun and aborted on the event loop, which also hears of everything.
class Verification : public Destination, public std::enable_shared_from_this<Verification> {
 public:
  /// A root whose accounts at the destination must be asked for.
  struct Listed {
    std::string name;
    std::string pattern;
    maildir::Layout layout;
  };
  struct Order {
    Contents contents = Contents::control_files;
    bool repair = false;
    std::set<std::string> aside_extra;  ///< roots whose extra files are put aside by the repair
    std::vector<Subject> accounts;
    std::vector<Listed> roots;
  };
  struct AccountOutcome {
    Verdict verdict;
    std::size_t repaired = 0;
    std::size_t aside = 0;  ///< extra files and folders that were put aside
  };
  struct Unknown {
    std::string root, account;
  };
  struct Outcome {
    std::vector<AccountOutcome> accounts;                       ///< in the order of Order::accounts
    std::vector<Unknown> unknown;                               ///< accounts that only the destination has
    std::vector<std::pair<std::string, std::string>> unlisted;  ///< roots and why their accounts could not be asked for
    std::string unreachable;  ///< why the receiver was not reached, if it was not, or not any more
    std::size_t compared = 0;
    bool given_up = false;
  };
  /// Called on the event loop.
  struct Hooks {
    /// Has the account looked at with that work; `done` gets "" once it is settled, or why it is not.
    std::function<void(AccountId, Work, std::function<void(std::string)> done)> settle;
    /// Whether an account at the destination is not ours to compare, or is known to the mirror.
    std::function<bool(const std::string& root, const std::string& path, const std::string& name)> is_expected;
    /// A Dovecot has written indexes of these folders at the destination.
    std::function<void(AccountId, const std::vector<std::string>& folders)> indexed;
    std::function<void(std::size_t accounts_done, std::size_t differences)> progress;
    std::function<void(Outcome)> done;
  };

  Verification(asio::io_context& loop, State& state, Order order, Hooks hooks);
  ~Verification() override;

  void begin(std::shared_ptr<const LinkSettings> settings, std::shared_ptr<Limiter> limiter,
             std::function<void(std::size_t)> wrote);
  /// Gives up; `done` is called all the same, soon. Can be repeated.
  void abort();
  bool is_running() const { return running_; }

  Result<AccountListing> list(const wire::List& question) override;
  Result<std::vector<sync::MappedOwner>> map_owners(const std::string& root,
                                                    const std::vector<sync::Attributes>& owners) override;
  void is_indexed(const Subject& subject, std::vector<std::string> folders) override;
  Result<AliasNames> aliases(const Subject& subject) override;
  Result<sync::AccountManifest> given(const Subject& subject) override;
  std::string settle(const Subject& subject) override;

 private:
  void work();
  void compare(std::size_t index);
  Result<Verdict> compare_once(const Subject& subject);
  void repair(const Subject& subject, AccountOutcome& outcome);
  void list_accounts(const Listed& root);
  Result<std::vector<Unknown>> unknown_accounts(const Listed& root);
  std::string settle(const Subject& subject, Work work);
  bool wait_for_link();
  Result<std::uint64_t> epoch();
  void thread_ended();
  template <class T>
  std::optional<T> wait(std::future<T> answer) const;

  asio::io_context& loop_;
  State& state_;
  Order order_;
  Hooks hooks_;
  std::shared_ptr<Link> link_;
  std::vector<std::thread> threads_;
  std::size_t ended_ = 0;
  std::size_t done_ = 0, differences_ = 0;
  bool running_ = false;
  std::atomic<bool> stop_{false};

  // Between the threads and the loop:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::uint64_t> epoch_;  ///< of the connection, while it is up
  std::string link_error_;
  std::size_t next_ = 0;  ///< of the accounts, then of the roots
  Outcome outcome_;
  std::map<std::tuple<std::string, std::uint32_t, std::uint32_t>, sync::MappedOwner> owners_;
};

}  // namespace maildirsync::agent
