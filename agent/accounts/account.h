#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/accounts/overlap.h"
#include "agent/accounts/recent_losses.h"
#include "agent/accounts/refusals.h"
#include "agent/scan/discovery.h"
#include "agent/turn/turn.h"
#include "common/decisions/settle.h"
#include "common/os/pulse.h"
#include "common/sync/users_work.h"

namespace maildirsync::agent {

/// Messages that went at the source, where that is not believed yet: many of them, or all of a folder, go at the
/// destination too once they have stayed the same number for a while.
struct Mass {
  std::uint64_t messages = 0;  ///< the account's, before
  std::uint64_t lost = 0;
  std::uint64_t going = 0;  ///< operations that take something away, of messages and all else
  Time first{};             ///< when it was seen first
  Time changed{};           ///< when `lost` was another number last
  bool is_large = false;    ///< sync::is_mass
};

/// Messages that are missing at the destination, and are not sent again until no more go: the first look at an `rm -rf`
/// sees a part of it, and what was sent again into it would hide that the root was emptied.
struct MissingThere {
  std::uint64_t messages = 0;
  Time first{};    ///< when some were seen to be missing
  Time changed{};  ///< when they were another number last
};

/// What the engine knows of an account. Event loop only.
struct Account {
  AccountId id = 0;
  std::size_t root = 0;
  std::string path;
  std::string name;
  Work work;                        ///< what its next turn is to look at
  std::shared_ptr<Turn> turn;       ///< its present turn
  std::uint64_t turns = 0;          ///< that were begun
  std::optional<Time> hangs_since;  ///< the turn gets no answer from a file system, see Stalls
  bool queued = false;
  bool complete = false;  ///< its first pass is done
  bool held = false;      ///< waits for a person
  bool rechecks = false;  ///< its next turn finds out whether it still must be held
  bool released = false;  ///< a person looked; for the next turn
  bool compared = false;  ///< since its root is being compared, see Agreement
  bool put_back = false;  ///< not yet compared since its root's destination was put back to an earlier time
  bool gone_confirmed = false;
  bool awaits_discovery = false;
  bool leaves = false;             ///< its root does not take it any more, and another will, with its record
  std::int64_t drained_since = 0;  ///< it came from a mirrored root into a drained one then, ns since the epoch
  ErrorCode hold_code = ErrorCode::mass_deletion;
  sync::Hold hold = sync::Hold::none;
  sync::Loss hold_loss;         ///< what would be deleted
  sync::UsersWork hold_undoes;  ///< with users_at_destination: what would be undone
  std::string hold_reason;
  Time held_since{};
  std::optional<WantOfRoom> room;     ///< what it holds that the full destination has no room for …
  Time room_since{};                  ///< … since when …
  Work parked;                        ///< … and what must be looked at once there is
  unsigned room_refusals = 0;         ///< times that it was said to have room, and had none
  std::optional<Time> missing_since;  ///< no walk has found its directory since
  std::int64_t gone_at = 0;           ///< held as gone since; seconds since the epoch
  std::int64_t gone_noted = 0;        ///< the same in the state; 0: it is not noted there
  std::optional<Mass> mass;
  std::optional<MissingThere> missing_there;
  bool looked_at = false;                   ///< a turn of this run has walked it
  std::map<std::string, Problem> problems;  ///< by path
  std::set<std::string> conflicts;          ///< of these, the paths of messages under another name at the destination
  std::set<std::string> indexed;            ///< folders of which a Dovecot at the destination has written an index
  std::optional<Time> indexed_since;        ///< when the first of them was seen
  Time not_before{};                        ///< its next turn does not begin earlier
  std::set<std::string> not_ours;           ///< files there that have size and time of ours, but not the content
  std::set<std::string> alone;              ///< paths of messages whose other names did not arrive: no links there
  bool in_doubt = false;                    ///< its next turn, whatever for, asks first what the destination holds
  unsigned failures = 0;                    ///< turns in a row that must be repeated
  Refusals refusals;
  /// Why its last turn must be repeated, for whoever waits for it; all empty when it need not.
  struct Unclean {
    std::string refused;   ///< the first thing that could not be done, and why
    std::string unrested;  ///< a folder that changed while it was looked at
    bool removals_wait = false;
    bool settles_there = false;  ///< what is missing at the destination is looked at twice
  } unclean;
  Time acknowledged{};                    ///< the last time that the receiver said of something that it is durable
  bool doubted = false;                   ///< after an unclean end of the receiver: not yet compared with it
  std::uint64_t wanted_generation = 0;    ///< the newest flush that waits for it
  std::uint64_t verified_generation = 0;  ///< the newest flush that it satisfied
  std::uint64_t folders = 0, messages = 0, bytes = 0;
  std::size_t unwatched = 0, extra = 0;
  RecentLosses losses;  ///< messages removed recently; the brake counts them

  /// It leaves its root; or it is held, and no turn is to find out whether it still must be.
  bool is_stopped() const { return leaves || (held && !rechecks); }
  bool is_gone() const { return held && hold_code == ErrorCode::account_gone; }
};

/// Logs a problem that has just come up, however often the like of it was logged. `account` is empty for what concerns
/// the root itself.
void log_problem(std::string_view code, const std::string& root, const std::string& account, const std::string& path,
                 const std::string& detail);

/// The problem text shown when the destination's Dovecot has indexed this account.
std::string indexed_detail(const Account& account);

/// In the state: Account::drained_since.
std::string key_of_drained_since(AccountId id);

/// The marker of the directory in which a root lands, as the receiver last told of it; `id` "" before the first time.
struct DestinationMarker {
  std::string id;
  std::uint64_t counter = 0;
  bool operator==(const DestinationMarker&) const = default;
};

/// What agent and receiver agree on about a root. Nothing is sent before they do. Event loop only.
struct Agreement {
  bool reached = false;
  bool settling = false;       ///< something is being kept; what the receiver says meanwhile is heard afterwards
  unsigned telling = 0;        ///< how often ours is on its way to it: what another connection's greeting says is older
  bool told = false;           ///< ours was told it, and it still knows an older one
  bool adopted = false;        ///< the receiver's word was newer, in this run
  decisions::Chain heard;      ///< what the receiver knows
  decisions::Token token;      ///< what is agreed on: turns go by it
  std::optional<Error> hold;   ///< why the root waits for a person
  bool known_before = false;   ///< an earlier run had something of it acknowledged
  bool comparing = false;      ///< the record may lack what was decided by: each account is compared before it goes on
  std::uint64_t withheld = 0;  ///< messages that count as given, see TurnOrder::given_until
};

/// A configured root. Event loop only.
struct Root {
  config::AgentRoot config;
  maildir::Layout layout;
  std::shared_ptr<const os::Directory> directory;
  Identity identity;      ///< of the directory
  std::string real_path;  ///< of the directory, as its mounts and links were when it was opened
  bool discovered = false;
  bool discovering = false;
  bool discover_again = false;
  std::shared_ptr<os::Pulse> walk;        ///< of the thread that walks it
  std::optional<Time> walk_hangs_since;   ///< the walk gets no answer from a file system …
  std::optional<Time> silent_since;       ///< … nor do several of its accounts: nothing of it is given to a lane
  Search next_search = Search::beside;    ///< of the next walk
  std::uint64_t acls = 0;                 ///< files and directories whose ACLs did not come along
  std::vector<Problem> found_everywhere;  ///< mail of no account, by the last walk that searched everywhere
  bool held = false;
  bool released = false;
  bool removed = false;  ///< no longer configured
  std::string hold_reason;
  Time held_since{};
  std::optional<Error> unreadable;         ///< why the directory that was opened cannot be listed
  std::optional<Problem> distant_trouble;  ///< why the destination cannot use its directory of the root
  bool looks_refused = false;              ///< the receiver said so to the last look there, whether or not mail waits
  std::string file_system;                 ///< of the directory when it was last healthy (os::file_system_of)
  std::uint64_t inode = 0;                 ///< of the directory then
  MountsAbove mounts;                      ///< of the directories between it and its accounts, then
  DestinationMarker destination;
  bool put_back = false;          ///< it is as it was at an earlier time, and not all accounts were compared since
  std::uint64_t given_again = 0;  ///< messages that were lost by that, in this run
  std::string destination_hold;   ///< why the receiver takes nothing for it; "" while it does
  Overlap overlap;
  std::vector<Problem> problems;
  std::shared_ptr<Room> room = std::make_shared<Room>();
  bool asks_for_room = false;  ///< a question is under way
  Time next_question{};        ///< about room: not earlier
  unsigned unanswered = 0;     ///< questions in a row to which the answer was no
  config::Mode mode = config::Mode::mirror;
  std::uint64_t discoveries = 0;  ///< finished ones
  Agreement agreement;

  /// Why it waits for a person; nothing when it does not.
  std::optional<Problem> hold() const;
  /// Nothing is sent for it, whichever side is the cause.
  bool is_held() const { return !overlap.hold.empty() || agreement.hold || held || !destination_hold.empty(); }
  std::string_view hold_code() const {
    return to_string(!overlap.hold.empty() ? ErrorCode::destination_overlaps
                     : agreement.hold      ? agreement.hold->code
                     : held                ? ErrorCode::root_gone
                                           : ErrorCode::destination_gone);
  }
  const std::string& held_because() const {
    return !overlap.hold.empty() ? overlap.hold
           : agreement.hold      ? agreement.hold->detail
           : held                ? hold_reason
                                 : destination_hold;
  }
  /// Its accounts are all left out by a change of the configuration: a mistyped pattern rather than a wish.
  bool is_left_empty(bool has_accounts) const { return discovered && left_behind > 0 && !has_accounts && !is_held(); }
  /// Whether its destination may lie in its source, for all that is known yet: a walk has not looked for it. One that
  /// hangs is not waited for.
  bool awaits_look_for_overlap() const {
    if (overlap.looks != overlap.wanted_looks) return !walk_hangs_since;
    return overlap.id.empty() && overlap.awaits_marker;
  }
  std::size_t left_behind = 0;          ///< accounts that a change of the configuration left out
  bool walked_whole = false;            ///< the last walk could read every directory on the way to accounts
  std::vector<std::string> only_there;  ///< accounts that only the destination has, as it was last asked
  bool awaits_copies = false;           ///< it takes accounts that another root is still copying
  bool misses_accounts = false;         ///< the last walk did not find some that are not held yet
  Time loses_until{};  ///< many of its accounts lose much at once: until it has been quiet for some time
  Time losses_looked_at{};
  RecentLosses losses;         ///< of all its accounts
  std::set<AccountId> in_use;  ///< accounts on which users evidently work at the destination, as was seen last
  bool wanes = false;          ///< sync::wanes, …
  Time wanes_as_of{};          ///< … as it was then
};

/// A Dovecot has written indexes of these folders at the destination.
void note_indexed(Account& account, const Root& root, const std::vector<std::string>& folders);

}  // namespace maildirsync::agent
