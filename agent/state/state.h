#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/scan/stamps.h"
#include "common/os/result.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

using AccountId = std::uint32_t;

/// What the receiver has acknowledged, in one SQLite file (WAL, synchronous=NORMAL) in the state directory. Only saves
/// work: without it, everything is compared with the receiver again. Thread-safe (one connection, guarded by one lock);
/// callers work on one account in one place at a time. A corrupt database is moved aside and a new one begun
/// (`was_reset`). Errors are ErrorCode::state.
class State {
 public:
  /// The directory is held by flock: a second agent on it fails to open with ErrorCode::exists.
  static Result<std::unique_ptr<State>> open(const std::string& directory);
  virtual ~State() = default;

  /// Whether open() put a corrupt database aside (as state.db.corrupt-<time>) and began a new one.
  virtual bool was_reset() const = 0;

  // -- small values: receiver instance, root modes, clean-shutdown marks …; on the disk when set_value returns
  virtual Result<std::optional<std::string>> value(const std::string& key) = 0;
  virtual Result<> set_value(const std::string& key, const std::string& value) = 0;

  // -- accounts
  struct AccountRow {
    AccountId id = 0;
    std::string path;                                    ///< below the root
    bool complete = false;                               ///< its first pass was acknowledged as a whole
    std::uint64_t folders = 0, messages = 0, bytes = 0;  ///< messages: files in cur/ and new/; bytes: theirs
  };
  /// Gets or makes the id; stable over restarts.
  virtual Result<AccountId> account(const std::string& root, const std::string& path) = 0;
  virtual Result<std::vector<AccountRow>> accounts(const std::string& root) = 0;
  virtual Result<AccountRow> account_row(AccountId id) = 0;
  virtual Result<> set_complete(AccountId id, bool complete) = 0;
  virtual Result<> set_all_incomplete(const std::string& root) = 0;
  virtual Result<> forget_account(AccountId id) = 0;
  /// The account belongs to that root from now on, with all that is known of it; what that root knew of the path goes.
  virtual Result<> move_account(AccountId id, const std::string& root) = 0;

  // -- what is acknowledged
  /// The folders, without entries; structure_whole.
  virtual Result<sync::AccountManifest> folders(AccountId id) = 0;
  /// The last that were set for folders that are still the same directories.
  virtual Result<std::map<std::string, Stamps>> stamps(AccountId id) = 0;
  virtual Result<> set_stamps(AccountId id, const std::map<std::string, Stamps>& stamps) = 0;
  /// Entries of one folder, sorted; empty for an unknown folder.
  virtual Result<std::vector<sync::Entry>> entries(AccountId id, const std::string& folder) = 0;
  /// Only those of Area::folder.
  virtual Result<std::vector<sync::Entry>> control_entries(AccountId id, const std::string& folder) = 0;
  /// Only those whose base name (sync::base_name) is one of these.
  virtual Result<std::vector<sync::Entry>> entries_named(AccountId id, const std::string& folder,
                                                         const std::vector<std::string>& base_names) = 0;
  /// Where in the account these inodes are known.
  struct Known {
    std::string folder;
    sync::Entry entry;
  };
  virtual Result<std::vector<Known>> find_inodes(AccountId id, const std::vector<std::uint64_t>& inodes) = 0;

  /// Records acknowledged operations (meaning: sync::apply), in one transaction. A rename of a message from its alias
  /// to its own name ends the alias.
  virtual Result<> apply(AccountId id, const std::vector<sync::Operation>& operations) = 0;
  // -- how folders look at the destination: a number of the receiver's, 0: not known, 1: not there
  struct FolderLook {
    std::string folder;
    std::uint64_t before = 0, after = 0;  ///< of operations that were acknowledged together
  };
  /// Records acknowledged operations as apply() does, and how the folders look after them. Gives the folders that
  /// did not look as they were left: others have changed something there, and how they look is not known any more.
  virtual Result<std::vector<std::string>> apply(AccountId id, const std::vector<sync::Operation>& operations,
                                                 const std::vector<FolderLook>& looks) = 0;
  virtual Result<> set_looks(AccountId id, const std::map<std::string, std::uint64_t>& looks) = 0;
  /// Of all folders of an account, by path.
  virtual Result<std::vector<std::pair<std::string, std::uint64_t>>> looks(AccountId id) = 0;

  // -- what is mounted at folders here: a number for it, 0: nothing
  virtual Result<std::map<std::string, std::uint64_t>> mounts(AccountId id) = 0;
  virtual Result<> set_mounts(AccountId id, const std::map<std::string, std::uint64_t>& mounts) = 0;

  /// Forgets an entry's inode, so that the next listing looks at the file itself: it has not become at the destination
  /// what it is here.
  virtual Result<> forget_inode(AccountId id, const sync::Location& at) = 0;
  /// Forgets an entry's digest and signature: the destination has another content than was believed, so that no delta
  /// is made against it. The size and the time stay, and may be wrong.
  virtual Result<> forget_content(AccountId id, const sync::Location& at) = 0;
  /// Replaces everything known of an account (after it was compared with the receiver's listing) but its aliases;
  /// stamps are forgotten.
  virtual Result<> replace(AccountId id, const sync::AccountManifest& manifest) = 0;

  // -- intents: what a turn is about to create at the destination, so that after a crash or a broken connection it is
  //    known to be ours. One row a turn.
  virtual Result<std::uint64_t> begin_turn(AccountId id, const std::vector<sync::Intent>& intents) = 0;
  /// All that was recorded before is on the disk when it returns, also after a power cut; waits for the disk.
  virtual Result<> sync() = 0;
  virtual Result<> end_turn(std::uint64_t turn) = 0;
  virtual Result<std::vector<sync::Intent>> intents(AccountId id) = 0;
  virtual Result<std::vector<AccountId>> accounts_with_intents() = 0;
  virtual Result<> clear_intents(AccountId id) = 0;

  // -- signatures of acknowledged control files; one is found only while the file has the content (by its digest)
  //    that it had when the signature was set
  virtual Result<std::optional<std::string>> signature(AccountId id, const sync::Location& at) = 0;
  virtual Result<> set_signature(AccountId id, const sync::Location& at, const std::string& signature) = 0;

  // -- aliases: a message whose name was taken at the destination goes by another base name there
  virtual Result<std::map<std::pair<std::string, std::string>, std::string>> aliases(
      AccountId id) = 0;  ///< (folder, base) → base
  virtual Result<> set_alias(AccountId id, const std::string& folder, const std::string& base,
                             const std::string& alias) = 0;
  virtual Result<> drop_alias(AccountId id, const std::string& folder, const std::string& base) = 0;
};

}  // namespace maildirsync::agent
