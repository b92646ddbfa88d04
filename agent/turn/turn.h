#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/state/state.h"
#include "agent/turn/removals.h"
#include "agent/turn/room.h"
#include "agent/turn/work.h"
#include "common/config/config.h"
#include "common/decisions/settle.h"
#include "common/os/directory.h"
#include "common/sync/brake.h"
#include "common/sync/operation.h"
#include "common/sync/users_work.h"

namespace maildirsync::agent {

/// Something that a person should know of; `path` is below the account.
struct Problem {
  ErrorCode code = ErrorCode::io;
  std::string path;
  std::string detail;
  bool arrived = false;  ///< what it is about is at the destination all the same, if not quite as it should be
  Time since{};          ///< set by the event loop: when it was first seen
};

/// Whether an account waits for a person when its comparison finds users at work at the destination.
enum class AskAboutUsers : std::uint8_t {
  where_evident,  ///< as sync::is_evident says
  always,         ///< for anything that they did: the root comes back from a drain
  never,          ///< a person has said that it may be undone
};

/// What to do for one account. Made by the event loop, never changed afterwards.
struct TurnOrder {
  AccountId account = 0;
  std::string root_name;
  std::string account_path;  ///< below the root
  std::string account_name;
  std::shared_ptr<const os::Directory> root;
  config::Mode mode = config::Mode::mirror;
  config::AccountOwners owners = config::AccountOwners::own;
  decisions::Token decision;  ///< from which the mode comes
  AskAboutUsers ask = AskAboutUsers::where_evident;
  bool users_in_root = false;  ///< users evidently work on other accounts of the root at the destination
  /// Of a drained root whose record was lost or is older: what came before (ns since the epoch) had been given, and is
  /// not given again although it is missing at the destination, where its users removed it. 0: the record is whole, or
  /// nothing is known.
  std::int64_t given_until = 0;
  /// The destination was put back as it was at an earlier time, and this is the account's comparison after that: what a
  /// drained root was given since then is lost there, and is given again.
  bool put_back = false;
  Work work;
  /// Files at the destination that the receiver found to be somebody else's, though they have size and time of ours.
  std::set<std::string> not_ours;
  /// Messages that are further names of ones which the destination refused: each is sent by itself, not as a link.
  std::set<std::string> alone;
  bool released = false;                  ///< the brake was looked at by a person
  bool gone_confirmed = false;            ///< the account's directory is gone, and the root is healthy
  std::uint64_t recently_removed = 0;     ///< messages of the account, within the brake's window …
  std::uint64_t removed_within_hour = 0;  ///< … and within an hour
  bool root_wanes = false;                ///< sync::wanes
  bool has_trash = false;                 ///< the destination can put aside what is removed
  bool root_loses = false;                ///< many accounts of its root lose much at once
  /// What a look that is old enough saw go already, when that was a mass: it is believed when it did not grow since.
  std::optional<std::uint64_t> mass_seen;
  /// So many messages are missing at the destination, and have been for a while: they are sent again. Where more are,
  /// somebody may be removing them at this moment.
  std::uint64_t missing_there = 0;
  std::uint64_t generation = 0;  ///< of the flush that it answers, if any
  std::shared_ptr<Room> room;    ///< of the destination, if it is full
  bool waits_for_room = false;   ///< messages of the account do, that this turn may not see
  /// Messages that events told of since the order was given: asked by the lane once it has read control files, which
  /// may name them. Nothing when events do not tell which.
  std::function<std::optional<Work>()> later;
};

enum class TurnEnd : std::uint8_t {
  sent,       ///< all operations are on their way (or there are none)
  held,       ///< the brake: nothing was sent
  gone,       ///< the account's directory is not there, and that is not confirmed: nothing was sent
  lost_link,  ///< the connection broke
  failed,     ///< the state or the account's directory could not be read
  settling,   ///< more goes at the destination, perhaps all of the root: nothing was sent
};

/// Why an account is to wait for a person.
struct Held {
  ErrorCode code = ErrorCode::mass_deletion;
  std::string reason;                   ///< a sentence that says what can be done
  sync::Hold brake = sync::Hold::none;  ///< of a mass deletion: the rule that stopped it
};

/// What the lane found and sent; written by the lane, read by the event loop once the lane is done.
struct TurnReport {
  TurnEnd end = TurnEnd::sent;
  std::size_t operations = 0;          ///< sent
  sync::Loss lost;                     ///< by what it sent, or by what waits
  std::uint64_t account_messages = 0;  ///< before that
  std::optional<Held> held;            ///< with TurnEnd::held
  sync::UsersWork undoes;              ///< by what waits, when it is held as users_at_destination
  std::optional<bool> users_at_work;   ///< after a look for them: whether they evidently work there
  std::uint64_t going = 0;             ///< operations of its plan that take something away
  Removals removals = Removals::go;    ///< when they do not go, `again` holds them
  bool is_mass = false;                ///< with Removals::in_mass: they are many; else they are all that a folder had
  std::uint64_t missing_there = 0;     ///< with TurnEnd::settling: messages that were at the destination
  std::vector<Problem> problems;
  Work again;                            ///< must be looked at again
  Work later;                            ///< what the order's `later` gave: as lost as the order when this turn fails
  std::chrono::nanoseconds rests_in{0};  ///< when the youngest stamp of a folder in `again` is old enough
  std::map<std::string, Stamps> stamps;  ///< of the folders that were scanned whole
  std::vector<std::pair<sync::Location, std::string>> signatures;
  std::optional<std::uint64_t> intent;
  WantOfRoom unsent;              ///< what was not sent because there is no room
  std::set<std::string> put_off;  ///< folders of what was not sent for that reason
  std::size_t extra = 0;          ///< files of others at the destination (after a comparison)
  std::set<std::string> indexed;  ///< folders of which a Dovecot at the destination has an index (after a comparison)
  std::size_t unwatched = 0;      ///< folders that could not be watched
  bool structure = false;
  bool account_gone = false;                    ///< its removal was sent
  std::optional<Problem> root_trouble;          ///< the destination cannot use the whole root
  std::size_t acls = 0;                         ///< files and folders, new to the mirror, whose ACLs do not come along
  std::map<std::string, std::uint64_t> mounts;  ///< of folders where it is not as it was (State::mounts)
  bool compared = false;
  bool listed_destination = false;  ///< the record is what the destination said, now
  std::uint64_t withheld = 0;       ///< messages that count as given, see TurnOrder::given_until
  std::uint64_t given_again = 0;    ///< messages that were lost there, see TurnOrder::put_back
};

/// A message of that base name goes by another one at the destination, as long as its own is somebody else's there.
Problem conflict_problem(const std::string& folder, const std::string& base, const std::string& alias);

/// Whether a date is one of the first and the last moment that an mtime in ns can have, which stand for all dates
/// beyond them.
inline bool is_beyond_carried(std::int64_t mtime) {
  return mtime == std::numeric_limits<std::int64_t>::max() || mtime == std::numeric_limits<std::int64_t>::min();
}

/// Later calls give higher numbers, from 1: by them the receiver orders what different connections say of an account.
std::uint64_t next_turn_number();

/// An account's turn.
struct Turn {
  TurnOrder order;
  TurnReport report;  ///< lane, then event loop

  // Counters for `status`: raised by the lane, lowered by the event loop.
  std::atomic<std::uint64_t> pending_messages{0}, pending_bytes{0};

  bool unkept = false;  ///< the state could not take it all down; the keeper's until the turn is finished
  /// Messages of the account whose names are other files' at the destination, after the turn; the keeper's, too.
  std::vector<Problem> conflicts;

  // Event loop only:
  std::size_t acknowledged = 0;  ///< operations that were answered
  bool lane_done = false;
  bool finishing = false;
  bool lost = false;              ///< some were on their way when the connection broke
  bool wants_comparison = false;  ///< the destination is not as the state says
  bool in_doubt = false;          ///< something failed that may have been done: compared before the account's next turn
  bool retry = false;             ///< something transient was refused
  std::vector<Problem> refused;
  WantOfRoom no_room;                   ///< was refused because the destination is full
  std::vector<Problem> looked_for;      ///< was refused because the destination is not as the state says
  std::optional<Problem> root_trouble;  ///< the destination cannot use the whole root
  std::set<std::string> failed_folders;
  std::set<std::string> refused_puts;  ///< paths of messages that a rule of the receiver's keeps out
  std::set<std::string> indexed;       ///< folders of which a Dovecot at the destination was found to have an index
};

/// Ends the turn with the account waiting for a person: nothing is sent, and all is looked at again once a person has
/// said so.
void hold(Turn& turn, Held held);

}  // namespace maildirsync::agent
