#pragma once

#include <memory>
#include <string>

#include "agent/state/state.h"
#include "agent/turn/announced_owners.h"
#include "agent/turn/control_body.h"
#include "agent/turn/foreign_files.h"
#include "agent/turn/kept_back.h"
#include "agent/turn/location.h"
#include "agent/turn/packer.h"
#include "agent/turn/turn.h"
#include "common/config/config.h"
#include "common/sync/aliases.h"

namespace maildirsync::agent {

using sync::Aliases;

/// Counts for `status`, raised by lanes.
struct Totals {
  std::atomic<std::uint64_t> messages_sent{0}, bytes_source{0}, bytes_wire{0}, renames{0}, deletes{0}, links{0},
      deltas{0}, conflicts{0}, skipped{0}, rescans{0}, overflows{0};
};

/// Puts the operations of one turn at a time on a lane's connection: reads, digests, makes deltas, compresses. Owned by
/// the lane's thread.
class Sender {
 public:
  Sender(Outbox& outbox, State& state, Totals& totals)
      : outbox_(outbox), state_(state), totals_(totals), packer_(outbox) {}

  /// A new connection: nothing has been said on it yet.
  void begin(std::uint64_t epoch, const config::Transfer& transfer);
  std::uint64_t epoch() const { return epoch_; }

  /// Sends the operations in order; false when the connection broke. Files that vanished or changed are left to the
  /// next look (report.again), and hold back what must follow them; files that cannot be read are problems. `snapshots`
  /// has the control files as they were before their messages were listed.
  bool send(const std::shared_ptr<Turn>& turn, const os::Directory& account, std::vector<sync::Operation> operations,
            const Snapshots& snapshots, const Aliases& aliases);

 private:
  enum class Step : std::uint8_t { sent, skipped, broken };

  bool open_account(const TurnOrder& order);
  bool announce_owners(const sync::Operation& operation);
  Step send_one(sync::Operation& operation);
  Step send_header(sync::Operation& operation);
  Step send_message(sync::Operation& operation);
  Step send_large(sync::Operation& operation, int fd, const std::string& path);
  Step send_content(sync::Operation& operation, std::string_view content);
  Step send_snapshot(sync::Operation& operation, const Snapshot& snapshot);
  Step send_control(sync::Operation& operation, const os::Content& content,
                    const std::optional<sync::Digest>& expected);

  Step send_body(sync::Operation& operation, const Body& body, const std::string& basis);
  Step skip(const sync::Operation& operation, const Error& error);
  void fill(const sync::Operation& operation, wire::Operation& out) const;
  Sent record(sync::Operation operation, std::uint64_t sequence);

  Outbox& outbox_;
  State& state_;
  Totals& totals_;
  std::uint64_t epoch_ = 0;
  Packer packer_;
  AnnouncedOwners announced_;

  // Of the present turn:
  std::shared_ptr<Turn> turn_;
  const os::Directory* account_ = nullptr;
  const Aliases* aliases_ = nullptr;
  std::optional<ForeignFiles> foreign_files_;  ///< none where owners are mixed
  bool is_foreign_ = false;                    ///< the file that is being sent is somebody else's
  KeptBack kept_back_;
};

}  // namespace maildirsync::agent
