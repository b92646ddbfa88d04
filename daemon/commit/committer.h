#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/os/blocking_queue.h"
#include "daemon/apply/stage.h"
#include "daemon/apply/transition.h"
#include "daemon/commit/group.h"

namespace maildirsync::daemon {

/// What became of one operation; durable unless `error`.
struct Committed {
  std::uint64_t sequence = 0;
  std::optional<Error> error;
  Outcome outcome;
  std::uint64_t bytes = 0;
  sync::OperationKind kind = sync::OperationKind::put;
  bool delta = false;
  std::shared_ptr<const Account> account;
  std::string path;                               ///< below the account, for messages
  std::optional<std::uint32_t> lesser_mode = {};  ///< given instead of the mode that was asked for
  bool untouched = false;                         ///< with `error`: nothing of it was done
  std::vector<FolderLooks> looks = {};            ///< of the last operation of an account in its group
};

/// Where a connection hears of its operations, in their order. Called on the committer's thread.
class Acknowledged {
 public:
  virtual ~Acknowledged() = default;
  virtual void committed(std::vector<Committed> done) = 0;
};

/// Counts for `status`, raised by the committer.
struct CommitTotals {
  std::atomic<std::uint64_t> operations{0}, refused{0}, messages{0}, bytes{0}, renames{0}, links{0}, deletes{0},
      deltas{0}, conflicts{0}, groups{0}, sync_microseconds{0};

  void count(const Committed& done);
};

/// The one thread that gives names to what was staged for a directory. It takes all that waits as one group: syncs the
/// bodies, does the transitions in order, syncs the directories (and bodies again, where the way to write wants that),
/// and then acknowledges. So a name never stands for a body that a power cut could take, and under load a group costs
/// two syncs however many messages are in it.
class Committer {
 public:
  /// `most_waiting`: how many operations may wait before is_full() says so. `syncs` outlives it, and so does `totals`,
  /// where it counts if that is not null.
  explicit Committer(std::size_t most_waiting, os::Syncs& syncs = os::system_syncs(), CommitTotals* totals = nullptr);
  ~Committer();

  /// Thread-safe, as all of these.
  void put(std::vector<StagedOperation> staged, const std::shared_ptr<Acknowledged>& sink);
  /// From now on, what older openings of the same account (of connections that may still be dying) would do is
  /// dropped; `reached`, if any, is called once all of the account that was put before is done: at once, where there is
  /// nothing of it, or on the committer's thread.
  void opened(std::string account_key, std::uint64_t serial, std::function<void()> reached);

  /// Has `work` done between operations, by the thread that owns the names; what must be durable goes into its set.
  /// `done` hears whether it is, on the same thread; cancelled when the committer ends first.
  void run(std::function<void(os::SyncSet& sync)> work, std::function<void(Result<> durable)> done);

  /// Another most_waiting from now on.
  void take_most(std::size_t most_waiting) { most_waiting_ = most_waiting; }
  /// Whether no more operations should be put, each of which may hold a descriptor. If so, `room` is called once that
  /// has changed, on the committer's thread.
  bool is_full(std::function<void()> room);

  /// Why not all that was given a name below a root is on the disk: the last sync failed, and nobody can say what of
  /// its group would survive. What a listing shows then is not proof, and nothing more is done there. Nothing once a
  /// later sync worked; each group, and each opening, tries one.
  std::optional<Error> debt(const os::Directory& root);

  const CommitTotals& totals() const { return totals_; }
  enum class Waiting : std::uint8_t {
    is_done,
    is_dropped,  ///< but for the group that is under way; none of it was acknowledged
  };
  /// Takes nothing more; `waiting` says what happens to the operations that still wait.
  void close(Waiting waiting);
  /// The same, and blocks until the thread has ended.
  void stop(Waiting waiting = Waiting::is_done);

 private:
  struct Put {
    StagedOperation staged;
    std::shared_ptr<Acknowledged> sink;
  };
  struct Opened {
    std::string account_key;
    std::uint64_t serial = 0;
    std::function<void()> reached;
  };
  struct Task {
    std::function<void(os::SyncSet& sync)> work;
    std::function<void(Result<> durable)> done;
  };
  using Item = std::variant<Put, Opened, Task>;

  void work();
  void commit(std::vector<Item> group);
  Result<> sync_bodies(const std::vector<Item>& group);
  Committed apply(Put& put, os::SyncSet& sync, Group& shared);
  bool owes_still();
  void owe(const std::vector<Item>& group, const Error& error);
  static void tell_claims(const std::vector<Item>& group, bool durable);
  void tell_room();
  void forget_waiting(const std::vector<Committed>& done);
  void take_over(Opened& opened);
  void forget_oldest();

  os::BlockingQueue<Item> items_;
  std::atomic<std::size_t> most_waiting_;
  os::Syncs& syncs_;
  std::mutex waiting_mutex_;
  std::unordered_map<std::string, std::size_t> waiting_;  ///< operations put and not done, of each account
  std::size_t all_waiting_ = 0;
  std::vector<std::function<void()>> want_room_;
  std::atomic<bool> drops_{false};
  std::unordered_map<std::string, std::uint64_t> newest_;  ///< opening of each account
  std::map<std::string, Error> debts_;                     ///< by the root's path; under the mutex
  std::size_t newest_bytes_ = 0;                           ///< of its keys
  CommitTotals own_totals_;
  CommitTotals& totals_;
  std::thread thread_;
};

}  // namespace maildirsync::daemon
