#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config/config.h"
#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/result.h"
#include "common/os/sync_set.h"
#include "daemon/apply/account.h"

namespace maildirsync::daemon {

/// Which agent and root each account here belongs to: those that brought it first. Another that would write to it, or
/// to what lies in it or around it, is refused by name. An account is claimed by the first operation that was done in
/// it, or by whoever opens one that is there and nobody's; so there are never more entries than directories. Kept in
/// the file `owners` of the state directory, a line for each change, on the disk before that operation is acknowledged.
/// Thread-safe, by a lock: the strands of all connections and the committer ask.
class Ownership {
 public:
  struct Owner {
    std::string fingerprint;  ///< of the agent's key
    std::string root;
    auto operator<=>(const Owner&) const = default;
  };

  static Result<std::unique_ptr<Ownership>> open(const std::string& state_dir);

  /// The peers and roots that there are from now on: what belonged to others belongs to nobody.
  void use(const config::Receiver& config);

  /// `place`: the account's absolute path, without links. owned_by_another when it, or an account below or above it,
  /// belongs to somebody else.
  Result<> check(const std::string& place, const Owner& owner) const;
  /// The same, and from now on it belongs to that one; not when that cannot be written.
  Result<> claim(const std::string& place, const Owner& owner, const std::string& name);
  /// The root of the same agent to which the place belongs, if it is another one than that.
  std::optional<std::string> other_root(const std::string& place, const Owner& owner) const;
  /// From now on the place, which belongs to that root of the same agent, is the owner's. Nothing when it is not so.
  Result<> hand_over(const std::string& place, const std::string& from, const Owner& to);
  /// The places of all that belong to that one.
  std::vector<std::string> accounts_of(const Owner& owner) const;
  /// It is gone: whoever brings it next has it.
  Result<> end(const std::string& place, const Owner& owner);
  /// Accounts of a peer (by its name) and root whose name matches a glob belong to nobody. `root` and `glob` may be
  /// empty: all. Their number.
  Result<std::size_t> disown(const std::string& peer, const std::string& root, const std::string& glob);
  /// Adds what was written and may not be on the disk yet. It is once `written`, the number that is returned, is told
  /// to be durable; 0: it is already.
  Result<std::uint64_t> add_unsynced(os::SyncSet& sync);
  void synced(std::uint64_t written, bool durable);
  /// Rises whenever an account stops belonging to somebody.
  std::uint64_t endings() const { return endings_; }

 private:
  struct Owned {
    std::uint32_t owner = 0;  ///< a number in `known_`
    std::string name;         ///< of the account, for people
  };
  using Owners = std::map<std::string, Owned>;  ///< by place

  explicit Ownership(std::string path) : path_(std::move(path)) {}
  Result<> read();
  Result<> write_anew();
  Result<> write_anew(const std::string& between);
  Result<> append(const std::string& lines);
  std::uint32_t number_of(const Owner& owner);
  Result<> check_locked(const std::string& place, const Owner& owner) const;
  const Owners::value_type* other_than(const std::string& place, const Owner& owner) const;
  std::string describe(const Owner& owner) const;

  const std::string path_;
  mutable std::mutex mutex_;
  std::shared_ptr<const os::Fd> file_;
  std::size_t lines_ = 0;      ///< of the file
  std::uint64_t written_ = 0;  ///< times that something was appended …
  std::uint64_t durable_ = 0;  ///< … and how many of these are on the disk
  bool doubtful_ = false;      ///< a sync or a replacement failed: what was written since the last one may be lost
  std::atomic<std::uint64_t> endings_{0};
  std::vector<Owner> known_;
  Owners owners_;
  std::map<std::string, std::string> peer_names_;  ///< by fingerprint
};

/// An account as one agent opened it, at `place`.
class OwnedAccount : public AccountClaim {
 public:
  OwnedAccount(Ownership& ownership, std::string place, Ownership::Owner owner, std::string name)
      : ownership_(ownership), place_(std::move(place)), owner_(std::move(owner)), name_(std::move(name)) {}

  /// As it is opened; what is there is claimed at once.
  Result<> open(const os::Directory& root, const std::string& account);
  Result<> check() override;
  Result<> done(const sync::Operation& operation, os::SyncSet& sync) override;
  void synced(bool durable) override;

 private:
  Ownership& ownership_;
  const std::string place_;
  const Ownership::Owner owner_;
  const std::string name_;
  std::uint64_t written_ = 0;        ///< see Ownership::add_unsynced
  std::uint64_t ours_at_ = k_never;  ///< Ownership::endings() when it was ours last
  static constexpr std::uint64_t k_never = ~std::uint64_t{0};
};

/// Where an account really is, whatever links lead to its root.
std::string place_of(const os::Directory& root, const std::string& account);

}  // namespace maildirsync::daemon
