#include "agent/state/state.h"

#include <mutex>
#include <utility>

#include "agent/state/file.h"
#include "agent/state/intents.h"
#include "agent/state/log_sync.h"
#include "agent/state/recorder.h"

namespace maildirsync::agent {

namespace {

using sqlite::Statement;
using sync::Entry;

class SqliteState final : public State {
 public:
  explicit SqliteState(StateFile file)
      : file_(std::move(file)), tables_(database()), log_sync_(database().path() + "-wal") {}

  bool was_reset() const override { return file_.was_reset; }

  Result<std::optional<std::string>> value(const std::string& key) override {
    const std::scoped_lock lock(mutex_);
    Statement find(database(), "SELECT value FROM setting WHERE key = ?");
    MAILDIRSYNC_ASSIGN(const auto row, find.bind(key).step());
    if (!row) return std::nullopt;
    return find.text(0);
  }

  /// Synced, unlike the rest: the mark of a run that has begun must not be lost with what the run recorded, or a power
  /// cut would look like a clean end.
  Result<> set_value(const std::string& key, const std::string& value) override {
    const std::scoped_lock lock(mutex_);
    MAILDIRSYNC_TRY(database().execute("PRAGMA synchronous = FULL"));
    Statement set(database(), "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)");
    auto done = set.bind(key, value).run();
    const auto back = database().execute("PRAGMA synchronous = NORMAL");
    return done ? back : done;
  }

  // -- accounts

  Result<AccountId> account(const std::string& root, const std::string& path) override {
    const std::scoped_lock lock(mutex_);
    {
      Statement find(database(), "SELECT id FROM account WHERE root = ? AND path = ?");
      MAILDIRSYNC_ASSIGN(const auto row, find.bind(root, path).step());
      if (row) return find.integer_as<AccountId>(0);
    }
    MAILDIRSYNC_TRY(Statement(database(), "INSERT INTO account (root, path) VALUES (?, ?)").bind(root, path).run());
    return static_cast<AccountId>(database().last_id());
  }

  Result<std::vector<AccountRow>> accounts(const std::string& root) override {
    const std::scoped_lock lock(mutex_);
    std::vector<AccountRow> accounts;
    Statement rows(database(),
                   "SELECT id, path, complete, folders, messages, bytes FROM account WHERE root = ? ORDER BY path");
    rows.bind(root);
    MAILDIRSYNC_TRY(rows.each([&] { accounts.push_back(read_account(rows)); }));
    return accounts;
  }

  Result<AccountRow> account_row(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    Statement find(database(), "SELECT id, path, complete, folders, messages, bytes FROM account WHERE id = ?");
    MAILDIRSYNC_ASSIGN(const auto row, find.bind(id).step());
    if (!row) return unknown(id);
    return read_account(find);
  }

  Result<> set_complete(AccountId id, bool complete) override {
    const std::scoped_lock lock(mutex_);
    return Statement(database(), "UPDATE account SET complete = ? WHERE id = ?").bind(complete, id).run();
  }

  Result<> set_all_incomplete(const std::string& root) override {
    const std::scoped_lock lock(mutex_);
    return Statement(database(), "UPDATE account SET complete = 0 WHERE root = ?").bind(root).run();
  }

  Result<> forget_account(AccountId id) override {
    return change([&]() -> Result<> {
      MAILDIRSYNC_TRY(Recorder(tables_, id).erase_everything());
      MAILDIRSYNC_TRY(Statement(database(), "DELETE FROM intent WHERE account = ?").bind(id).run());
      return Statement(database(), "DELETE FROM account WHERE id = ?").bind(id).run();
    });
  }

  Result<> move_account(AccountId id, const std::string& root) override {
    MAILDIRSYNC_ASSIGN(const auto row, account_row(id));
    MAILDIRSYNC_ASSIGN(const auto there, account(root, row.path));
    if (there == id) return {};
    MAILDIRSYNC_TRY(forget_account(there));
    const std::scoped_lock lock(mutex_);
    return Statement(database(), "UPDATE account SET root = ? WHERE id = ?").bind(root, id).run();
  }

  // -- what is acknowledged

  Result<sync::AccountManifest> folders(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    MAILDIRSYNC_ASSIGN(auto folders, tables_.folders.manifests(id));
    return sync::AccountManifest{.structure_whole = true, .folders = std::move(folders)};
  }

  Result<std::vector<Entry>> entries(AccountId id, const std::string& folder) override {
    return in_folder<std::vector<Entry>>(id, folder, [&](FolderId found) { return tables_.entries.all(found); });
  }

  Result<std::vector<Entry>> control_entries(AccountId id, const std::string& folder) override {
    return in_folder<std::vector<Entry>>(id, folder, [&](FolderId found) { return tables_.entries.control(found); });
  }

  Result<std::vector<Entry>> entries_named(AccountId id, const std::string& folder,
                                           const std::vector<std::string>& base_names) override {
    return in_folder<std::vector<Entry>>(id, folder,
                                         [&](FolderId found) { return tables_.entries.named(found, base_names); });
  }

  Result<std::vector<Known>> find_inodes(AccountId id, const std::vector<std::uint64_t>& inodes) override {
    const std::scoped_lock lock(mutex_);
    return tables_.entries.by_inodes(id, inodes);
  }

  Result<> apply(AccountId id, const std::vector<sync::Operation>& operations) override {
    return record(id, [&](Recorder& recorder) -> Result<> {
      for (const auto& operation : operations)
        MAILDIRSYNC_TRY(recorder.apply(operation));
      return {};
    });
  }

  Result<std::vector<std::string>> apply(AccountId id, const std::vector<sync::Operation>& operations,
                                         const std::vector<FolderLook>& looks) override {
    std::vector<std::string> changed;
    const auto recorded = record(id, [&](Recorder& recorder) -> Result<> {
      for (const auto& operation : operations)
        MAILDIRSYNC_TRY(recorder.apply(operation));
      for (const auto& look : looks) {
        MAILDIRSYNC_ASSIGN(const auto as_left, recorder.look(look));
        if (!as_left) changed.push_back(look.folder);
      }
      return {};
    });
    if (!recorded) return Failure(recorded.error());
    return changed;
  }

  Result<> set_looks(AccountId id, const std::map<std::string, std::uint64_t>& looks) override {
    return change([&]() -> Result<> {
      for (const auto& [path, look] : looks) {
        MAILDIRSYNC_ASSIGN(const auto folder, tables_.folders.find(id, path));
        if (folder) MAILDIRSYNC_TRY(tables_.folders.set_look(*folder, look));
      }
      return {};
    });
  }

  Result<std::vector<std::pair<std::string, std::uint64_t>>> looks(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    return tables_.folders.looks(id);
  }

  Result<std::map<std::string, std::uint64_t>> mounts(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    return tables_.folders.mounts(id);
  }

  Result<> set_mounts(AccountId id, const std::map<std::string, std::uint64_t>& mounts) override {
    return change([&]() -> Result<> {
      for (const auto& [path, mount] : mounts)
        MAILDIRSYNC_TRY(tables_.folders.set_mount(id, path, mount));
      return {};
    });
  }

  Result<> forget_inode(AccountId id, const sync::Location& at) override {
    return in_folder<void>(id, at.folder,
                           [&](FolderId folder) { return tables_.entries.forget_inode(folder, at.area, at.name); });
  }

  Result<> forget_content(AccountId id, const sync::Location& at) override {
    return in_folder<void>(id, at.folder, [&](FolderId folder) -> Result<> {
      MAILDIRSYNC_TRY(tables_.signatures.erase(folder, at.area, at.name));
      return tables_.entries.forget_digest(folder, at.area, at.name);
    });
  }

  Result<> replace(AccountId id, const sync::AccountManifest& manifest) override {
    return record(id, [&](Recorder& recorder) { return recorder.replace(manifest); });
  }

  Result<std::map<std::string, Stamps>> stamps(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    return tables_.folders.stamps(id);
  }

  Result<> set_stamps(AccountId id, const std::map<std::string, Stamps>& stamps) override {
    return change([&]() -> Result<> {
      for (const auto& [path, folder] : stamps)
        MAILDIRSYNC_TRY(tables_.folders.set_stamps(id, path, folder));
      return {};
    });
  }

  // -- intents

  Result<std::uint64_t> begin_turn(AccountId id, const std::vector<sync::Intent>& intents) override {
    const std::string what = encode(intents);
    const std::scoped_lock lock(mutex_);
    MAILDIRSYNC_TRY(Statement(database(), "INSERT INTO intent (account, what) VALUES (?, ?)").bind(id, what).run());
    return static_cast<std::uint64_t>(database().last_id());
  }

  Result<> sync() override { return log_sync_.run(); }

  Result<> end_turn(std::uint64_t job) override {
    const std::scoped_lock lock(mutex_);
    return Statement(database(), "DELETE FROM intent WHERE job = ?").bind(job).run();
  }

  Result<std::vector<sync::Intent>> intents(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    std::vector<sync::Intent> intents;
    Statement rows(database(), "SELECT what FROM intent WHERE account = ? ORDER BY job");
    rows.bind(id);
    MAILDIRSYNC_TRY(rows.each([&]() -> Result<> {
      auto job = decode_intents(rows.bytes(0));
      if (!job) return failure(ErrorCode::state, database().path(), "an intent in the state database can't be read");
      intents.insert(intents.end(), std::make_move_iterator(job->begin()), std::make_move_iterator(job->end()));
      return {};
    }));
    return intents;
  }

  Result<std::vector<AccountId>> accounts_with_intents() override {
    const std::scoped_lock lock(mutex_);
    std::vector<AccountId> accounts;
    Statement rows(database(), "SELECT DISTINCT account FROM intent ORDER BY account");
    MAILDIRSYNC_TRY(rows.each([&] { accounts.push_back(rows.integer_as<AccountId>(0)); }));
    return accounts;
  }

  Result<> clear_intents(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    return Statement(database(), "DELETE FROM intent WHERE account = ?").bind(id).run();
  }

  // -- signatures and aliases

  Result<std::optional<std::string>> signature(AccountId id, const sync::Location& at) override {
    return in_folder<std::optional<std::string>>(
        id, at.folder, [&](FolderId folder) { return tables_.signatures.find(folder, at.area, at.name); });
  }

  Result<> set_signature(AccountId id, const sync::Location& at, const std::string& signature) override {
    return in_folder<void>(
        id, at.folder, [&](FolderId folder) { return tables_.signatures.put(folder, at.area, at.name, signature); });
  }

  Result<std::map<std::pair<std::string, std::string>, std::string>> aliases(AccountId id) override {
    const std::scoped_lock lock(mutex_);
    return tables_.aliases.all(id);
  }

  Result<> set_alias(AccountId id, const std::string& folder, const std::string& base,
                     const std::string& alias) override {
    const std::scoped_lock lock(mutex_);
    return tables_.aliases.put(id, folder, base, alias);
  }

  Result<> drop_alias(AccountId id, const std::string& folder, const std::string& base) override {
    const std::scoped_lock lock(mutex_);
    return tables_.aliases.erase(id, folder, base);
  }

 private:
  sqlite::Database& database() { return *file_.database; }

  Failure unknown(AccountId id) {
    return failure(ErrorCode::state, database().path(),
                   "the state database does not know the account with the number " + std::to_string(id));
  }

  static AccountRow read_account(const Statement& row) {
    return {row.integer_as<AccountId>(0),
            row.text(1),
            row.integer(2) != 0,
            row.integer_as<std::uint64_t>(3),
            row.integer_as<std::uint64_t>(4),
            row.integer_as<std::uint64_t>(5)};
  }

  /// What `act` gives for a known folder; an empty value for an unknown one.
  template <class Value, class Act>
  Result<Value> in_folder(AccountId account, const std::string& path, Act&& act) {
    const std::scoped_lock lock(mutex_);
    MAILDIRSYNC_ASSIGN(const auto folder, tables_.folders.find(account, path));
    return folder ? act(*folder) : Result<Value>();
  }

  /// Does all of it or nothing.
  template <class Act>
  Result<> change(Act&& act) {
    const std::scoped_lock lock(mutex_);
    MAILDIRSYNC_ASSIGN(auto transaction, sqlite::Transaction::begin(database()));
    Result<> done = act();
    if (done) done = transaction.commit();
    if (!done) tables_.attributes.forget();
    return done;
  }

  template <class Act>
  Result<> record(AccountId account, Act&& act) {
    return change([&]() -> Result<> {
      Recorder recorder(tables_, account);
      MAILDIRSYNC_TRY(act(recorder));
      const auto& more = recorder.change();
      // Without this row the account was forgotten meanwhile: nothing of it is to come back.
      Statement count(database(),
                      "UPDATE account SET folders = folders + ?, messages = messages + ?, bytes = bytes + ? "
                      "WHERE id = ? RETURNING id");
      MAILDIRSYNC_ASSIGN(const auto row, count.bind(more.folders, more.messages, more.bytes, account).step());
      if (!row) return unknown(account);
      return count.run();
    });
  }

  std::mutex mutex_;
  StateFile file_;
  Tables tables_;
  LogSync log_sync_;
};

}  // namespace

Result<std::unique_ptr<State>> State::open(const std::string& directory) {
  MAILDIRSYNC_ASSIGN(auto file, open_state_file(directory));
  return std::make_unique<SqliteState>(std::move(file));
}

}  // namespace maildirsync::agent
