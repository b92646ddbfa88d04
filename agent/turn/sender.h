#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>

#include "agent/scan/folder.h"
#include "agent/state/state.h"
#include "agent/turn/foreign_files.h"
#include "agent/turn/packer.h"
#include "agent/turn/turn.h"
#include "common/config/config.h"
#include "common/os/content.h"
#include "common/sync/aliases.h"

namespace maildirsync::agent {

/// The location of a path below an account: sync::path_of backwards. A folder's own path looks like that of a control
/// file.
sync::Location location_of(const std::string& path);

/// A total order of places, for maps.
bool location_less(const sync::Location& left, const sync::Location& right);

/// Control files by their place.
using Snapshots = std::map<sync::Location, Snapshot, bool (*)(const sync::Location&, const sync::Location&)>;

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

  void send_alone_what_is_no_link(sync::Operation& operation);
  bool waits_for_next_look(const sync::Operation& operation);
  bool waits_for_room(const sync::Operation& operation);
  bool open_account(const TurnOrder& order);
  void announce(const sync::Attributes& owner, wire::Names& names);
  bool announce_owners(const sync::Operation& operation);
  Step send_one(sync::Operation& operation);
  Step send_header(sync::Operation& operation);
  Step send_message(sync::Operation& operation);
  Step send_large(sync::Operation& operation, int fd, const std::string& path);
  Step send_content(sync::Operation& operation, std::string_view content);
  Result<> judge_owner(const sync::Operation& operation);
  Step send_snapshot(sync::Operation& operation, const Snapshot& snapshot);
  Step send_control(sync::Operation& operation, const os::Content& content,
                    const std::optional<sync::Digest>& expected);

  /// What a body consists of: bytes of a content between two texts. With `digest`, the content is to have that one.
  struct Body {
    const os::Content& content;
    std::uint64_t offset = 0, end = 0;
    std::string head, tail;
    std::optional<sync::Digest> digest;
    std::uint64_t size() const { return head.size() + (end - offset) + tail.size(); }
  };
  Step send_body(sync::Operation& operation, const Body& body, const std::string& basis);
  Result<> read_digest(sync::Operation& operation) const;
  Step skip(const sync::Operation& operation, const Error& error);
  void fill(const sync::Operation& operation, wire::Operation& out) const;
  sync::Location at_destination(const sync::Location& at) const;
  Sent record(sync::Operation operation, std::uint64_t sequence);

  Outbox& outbox_;
  State& state_;
  Totals& totals_;
  std::uint64_t epoch_ = 0;
  Packer packer_;
  std::unordered_set<std::uint32_t> users_, groups_;

  // Of the present turn:
  std::shared_ptr<Turn> turn_;
  const os::Directory* account_ = nullptr;
  const Aliases* aliases_ = nullptr;
  std::optional<ForeignFiles> foreign_files_;  ///< none where owners are mixed
  std::set<std::string> unsent_;               ///< paths of what it was to send, and a rule or the room kept out
  std::set<std::string> moved_away_;           ///< paths of what was renamed, changed or removed since it was looked at
  bool is_foreign_ = false;                    ///< the file that is being sent is somebody else's
  std::set<std::uint64_t> foreign_links_;      ///< inodes of what was refused, in this turn, as a link of such a file
  bool no_room_ = false;                       ///< messages wait for room, and what follows them with them
};

}  // namespace maildirsync::agent
