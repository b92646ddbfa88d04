#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/sync/operation.h"

// What vanishes at the source is deleted at the destination too, unless it looks like an accident. Users delete much:
// they empty a Trash, purge spam, remove folders, fetch by POP3; expiry deletes in all accounts each night. All that
// goes through, at once when it is little, to the destination's trash when it is much. Held is what no user does:
// directories that no mail program removes, a file system that is not mounted, many accounts that lose most of their
// mail at once. The numbers are here and in docs/operations.md; tests/unit/common/sync/brake_test.cpp is the table of
// cases.

namespace maildirsync::sync {

struct Loss {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  ///< of the messages
};

/// What message files a plan takes away for good. A name that goes is not a loss while the file keeps another name in
/// the account, or gets one by the plan: of a move, the new name is often sent before the old one goes. `names` says
/// how many names each inode has in the account before; an inode that is not known counts as lost.
Loss lost_messages(const std::vector<Operation>& plan, const std::unordered_map<std::uint64_t, std::size_t>& names);

/// What is wrong with an account's directories.
enum class Damage : std::uint8_t {
  none,
  no_inbox,         ///< the INBOX's cur/ is gone, or the INBOX itself
  no_folders,       ///< all its other folders are gone at once, and there were some with mail
  another_account,  ///< another directory is where the account's was: a volume that was mounted or unmounted
  another_folder,   ///< the same of a folder that had mail, and it is empty now
};

/// Compares what was known of an account's directories with a walk over all of them. Both with the entries of folders
/// that changed.
Damage damage_between(const AccountManifest& before, const AccountManifest& after);

/// An account of which a plan takes messages away.
struct Removals {
  std::uint64_t messages = 0;     ///< in the account, before the window
  std::uint64_t lost = 0;         ///< by the plan
  std::uint64_t lost_before = 0;  ///< within the window (k_brake_window_seconds) before the plan
  Damage damage = Damage::none;
  bool has_trash = true;    ///< at the destination
  bool root_loses = false;  ///< see is_catastrophe()
};

enum class Hold : std::uint8_t {
  none,
  damage,        ///< directories are gone that no mail program removes
  root_loses,    ///< it loses much, and so do many others of its root
  beyond_trash,  ///< much would go, and the destination cannot put it aside
};

inline constexpr std::uint64_t k_brake_window_seconds = 60;

/// Whether an account must wait for a person before anything of it is deleted.
Hold should_hold(const Removals& removals);

/// Whether it must be seen whole before any of it is believed: at least 20 messages, and more than a quarter of the
/// account's. It may be the beginning of an `rm -rf`.
bool is_mass(std::uint64_t messages, std::uint64_t lost);
/// At least 20 messages, and more than half.
bool is_most(std::uint64_t messages, std::uint64_t lost);

/// With what a plan's removals go.
struct Company {
  std::uint64_t in_window = 0;  ///< messages that the account loses: by the plan and within k_brake_window_seconds
  std::uint64_t in_hour = 0;    ///< the same, within k_slow_window_seconds
  bool root_wanes = false;      ///< see wanes()
  bool account_gone = false;
};

inline constexpr std::uint64_t k_slow_window_seconds = 3600;

/// Has the removals go to the destination's trash that are many: the tenth of an account within the window and what
/// follows, the thirtieth within the hour; what goes with its folder or account, or while the root wanes. Unlinked is
/// only what users delete one by one.
void mark_for_trash(std::vector<Operation>& plan, const Company& company);

/// Whether a root loses so much within the hour that each account's few may be a part of one slow deletion: at least
/// 100 messages, and a hundredth of what it had.
bool wanes(std::uint64_t messages, std::uint64_t lost_in_hour);

/// What the accounts of a root lost within the window, or are about to lose.
struct RootLosses {
  std::size_t accounts = 0;
  std::size_t emptied = 0;  ///< that lose most of their mail (is_most)
  std::size_t losers = 0;   ///< that lose any
  std::uint64_t messages = 0, lost = 0;
};

/// Whether many accounts at once lose what users do not delete at once: at least five, and a twentieth of the root's,
/// lose most of their mail; or at least three lose together more than half of the root's messages, and at least 500.
bool is_catastrophe(const RootLosses& losses);

/// Whether accounts that vanished within ten minutes are too many to be users who left: at least five, and a
/// twentieth of the root's, or more than half of them.
bool vanished_together(std::size_t vanished, std::size_t known);

/// For people: "the INBOX's directory cur/ is gone".
std::string_view sentence(Damage damage);

}  // namespace maildirsync::sync
