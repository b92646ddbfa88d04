// The tables. Names and paths are bytes, so they are blobs.
//
// `entry` is where the size is: a row for each message. Its key is short, because the index on inodes repeats it: the
// folder's number, 32 bits of a hash of the base name, and a counter for what falls on the same hash (most often the
// same message under two flags for a moment). The name itself stands once, outside of the key. Owners and modes repeat
// and are kept once in `attributes`. A renamed folder changes its row in `folder`, and no entry.
//
// `look` is what the receiver said of how the folder looks at the destination (its own number; 0: not known, 1: not
// there). `mount` is a number for what is mounted at the folder here, 0 for nothing; null: not known.
//
// Signatures belong to an entry, and so hang on the folder's number. Aliases come with an acknowledgement, just before
// the operations that make the entry and perhaps its folder are recorded, and so hang on the path.

#include "agent/state/schema.h"

#include <string>

namespace maildirsync::agent {

namespace {

constexpr int k_version = 2;

constexpr const char* k_tables = R"sql(
CREATE TABLE setting (
  key   BLOB NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  root     BLOB NOT NULL,
  path     BLOB NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0,
  folders  INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  bytes    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (root, path)
) STRICT;

CREATE TABLE attributes (
  id   INTEGER PRIMARY KEY,
  mode INTEGER NOT NULL,
  uid  INTEGER NOT NULL,
  gid  INTEGER NOT NULL,
  UNIQUE (mode, uid, gid)
) STRICT;

CREATE TABLE folder (
  id         INTEGER PRIMARY KEY,
  account    INTEGER NOT NULL,
  path       BLOB NOT NULL,
  inode      INTEGER NOT NULL,
  self       INTEGER NOT NULL,
  cur        INTEGER,
  new        INTEGER,
  tmp        INTEGER,
  stamp_self INTEGER NOT NULL DEFAULT 0,
  stamp_cur  INTEGER NOT NULL DEFAULT 0,
  stamp_new  INTEGER NOT NULL DEFAULT 0,
  look       INTEGER NOT NULL DEFAULT 0,
  mount      INTEGER,
  UNIQUE (account, path)
) STRICT;

CREATE TABLE entry (
  folder     INTEGER NOT NULL,
  hash       INTEGER NOT NULL,
  nth        INTEGER NOT NULL,
  area       INTEGER NOT NULL,
  name       BLOB NOT NULL,
  inode      INTEGER NOT NULL,
  size       INTEGER NOT NULL,
  mtime      INTEGER NOT NULL,
  attributes INTEGER NOT NULL,
  digest     BLOB,
  target     BLOB,
  PRIMARY KEY (folder, hash, nth)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_inode ON entry (inode);
CREATE INDEX entry_control ON entry (folder) WHERE area = 0;

CREATE TABLE signature (
  folder  INTEGER NOT NULL,
  area    INTEGER NOT NULL,
  name    BLOB NOT NULL,
  digest  BLOB NOT NULL,
  content BLOB NOT NULL,
  UNIQUE (folder, area, name)
) STRICT;

CREATE TABLE alias (
  account INTEGER NOT NULL,
  folder  BLOB NOT NULL,
  base    BLOB NOT NULL,
  alias   BLOB NOT NULL,
  PRIMARY KEY (account, folder, base)
) STRICT, WITHOUT ROWID;

CREATE TABLE intent (
  job     INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL,
  what    BLOB NOT NULL
) STRICT;
CREATE INDEX intent_by_account ON intent (account);
)sql";

/// How folders look at the destination, and what is mounted at the source, is not known of what an earlier version
/// recorded: 0, and null.
constexpr const char* k_from_1_to_2 = R"sql(
ALTER TABLE folder ADD COLUMN look INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder ADD COLUMN mount INTEGER;
)sql";

Result<int> version_of(sqlite::Database& database) {
  sqlite::Statement statement(database, "PRAGMA user_version");
  MAILDIRSYNC_ASSIGN(const auto row, statement.step());
  return row ? static_cast<int>(statement.integer(0)) : 0;
}

}  // namespace

Result<> prepare_schema(sqlite::Database& database) {
  MAILDIRSYNC_ASSIGN(const auto version, version_of(database));
  if (version == k_version) return {};
  MAILDIRSYNC_ASSIGN(auto transaction, sqlite::Transaction::begin(database));
  switch (version) {
    case 0:
      MAILDIRSYNC_TRY(database.execute(k_tables));
      break;
    case 1:
      MAILDIRSYNC_TRY(database.execute(k_from_1_to_2));
      break;
    default:
      return failure(ErrorCode::state, database.path(),
                     "the state database was written by a newer maildirsync (its version is " +
                         std::to_string(version) + ", this program knows " + std::to_string(k_version) +
                         "); install the newer program again, or move the file away: everything is then compared "
                         "with the receiver");
  }
  MAILDIRSYNC_TRY(database.execute(("PRAGMA user_version = " + std::to_string(k_version)).c_str()));
  return transaction.commit();
}

}  // namespace maildirsync::agent
