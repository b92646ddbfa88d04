#include "agent/state/sqlite.h"

#include <cassert>
#include <cerrno>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "common/os/fd.h"

namespace maildirsync::agent::sqlite {

namespace {

/// For the administrator's own sqlite3 that looks into the file meanwhile.
constexpr int k_busy_milliseconds = 10000;

bool is_damage(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

bool has_errno(int code) {
  return (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
}

}  // namespace

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close(connection);
}
void Database::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, std::function<void()> on_damage) {
  // SQLite would make the file by the umask; its -wal and -shm files take over the mode.
  if (const os::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)); !file) {
    return Failure(Error{ErrorCode::state, path, "the state database can't be opened", errno});
  }
  std::unique_ptr<Database> database(new Database(path, std::move(on_damage)));
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database->connection_.reset(connection);
  if (code != SQLITE_OK) return Failure(database->error(code));
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, k_busy_milliseconds);
  return database;
}

Error Database::error(int code) {
  Error error{ErrorCode::state, path_, "", 0};
  const char* message = connection_ ? sqlite3_errmsg(connection_.get()) : sqlite3_errstr(code);
  if (is_damage(code)) {
    if (on_damage_) std::exchange(on_damage_, nullptr)();
    error.detail = std::string("the state database is damaged (") + message +
                   "); at its next start the agent puts it aside and compares everything with the receiver";
  } else {
    error.detail = std::string("the state database can't be used (") + message + ")";
    if (connection_ && has_errno(code)) error.error_number = sqlite3_system_errno(connection_.get());
    if (code == SQLITE_FULL) error.error_number = ENOSPC;
  }
  return error;
}

Result<> Database::execute(const char* sql) {
  const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(error(code));
  return {};
}

std::int64_t Database::last_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}

Result<sqlite3_stmt*> Database::prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end()) return found->second.get();
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Failure(error(code));
  statements_.emplace(sql, statement);
  return statement;
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  auto prepared = database.prepare(sql);
  if (!prepared) {
    error_ = prepared.error();
    return;
  }
  statement_ = *prepared;
  assert(sqlite3_stmt_busy(statement_) == 0);
}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::note(int code) {
  if (code != SQLITE_OK && !error_) error_ = database_.error(code);
}

void Statement::bind_integer(std::int64_t value) {
  if (statement_ != nullptr) note(sqlite3_bind_int64(statement_, ++bound_, value));
}

void Statement::bind_next(std::string_view value) {
  if (statement_ == nullptr) return;
  const char* data = value.data() != nullptr ? value.data() : "";  // a null pointer would be bound as NULL
  note(sqlite3_bind_blob64(statement_, ++bound_, data, value.size(), SQLITE_STATIC));
}

Result<bool> Statement::step() {
  if (error_) return Failure(*error_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  error_ = database_.error(code);
  return Failure(*error_);
}

Result<> Statement::run() {
  return each([] {});
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data != nullptr ? std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size))
                         : std::string_view();
}

Result<Transaction> Transaction::begin(Database& database) {
  MAILDIRSYNC_TRY(Statement(database, "BEGIN IMMEDIATE").run());
  return Transaction(database);
}

Transaction::~Transaction() {
  // After some failures (a full disk) SQLite has rolled back by itself.
  if (database_ == nullptr || sqlite3_get_autocommit(database_->connection_.get()) != 0) return;
  (void)Statement(*database_, "ROLLBACK").run();
}

Result<> Transaction::commit() {
  MAILDIRSYNC_TRY(Statement(*database_, "COMMIT").run());
  database_ = nullptr;
  return {};
}

}  // namespace maildirsync::agent::sqlite
