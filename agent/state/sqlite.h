#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "common/os/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace maildirsync::agent::sqlite {

/// A connection to one database file, and its prepared statements. For one thread at a time. All errors are
/// ErrorCode::state, with the file's path and SQLite's message.
class Database {
 public:
  /// Opens the file, or makes it, readable to its owner only. `on_damage` is called once, at the first sign that the
  /// file is not a database or a damaged one.
  static Result<std::unique_ptr<Database>> open(const std::string& path, std::function<void()> on_damage);

  /// Runs statements without parameters, separated by semicolons.
  Result<> execute(const char* sql);

  /// The row id that the last INSERT gave.
  std::int64_t last_id() const;
  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  Database(std::string path, std::function<void()> on_damage)
      : path_(std::move(path)), on_damage_(std::move(on_damage)) {}

  Result<sqlite3_stmt*> prepare(std::string_view sql);
  /// The Error of the call that just failed with `code`.
  Error error(int code);

  std::string path_;
  std::function<void()> on_damage_;
  std::unique_ptr<sqlite3, Close> connection_;
  std::unordered_map<std::string_view, std::unique_ptr<sqlite3_stmt, Finalize>>
      statements_;  ///< ends before connection_
};

/// One use of a statement. It is prepared once and kept by its text, so `sql` must be a literal, and only one use of a
/// text can be under way. An error of preparing or binding comes out of the first step.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Gives values to the next parameters. Texts are bound as blobs (names are bytes) and not copied: they must outlive
  /// this use.
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_next(values), ...);
    return *this;
  }

  /// True: there is a row.
  Result<bool> step();
  /// For what gives no rows.
  Result<> run();
  /// Calls for each row; what it returns may be a Result<>, which ends it when it is an error.
  template <class OnRow>
  Result<> each(OnRow&& on_row) {
    for (;;) {
      MAILDIRSYNC_ASSIGN(const auto row, step());
      if (!row) return {};
      if constexpr (std::is_void_v<decltype(on_row())>) {
        on_row();
      } else {
        MAILDIRSYNC_TRY(on_row());
      }
    }
  }

  // -- columns of the row, from 0
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  template <std::integral Integer>
  Integer integer_as(int column) const {
    return static_cast<Integer>(integer(column));
  }
  /// Until the next step.
  std::string_view bytes(int column) const;
  std::string text(int column) const { return std::string(bytes(column)); }

 private:
  template <std::integral Integer>
  void bind_next(Integer value) {
    bind_integer(static_cast<std::int64_t>(value));
  }
  void bind_next(std::string_view value);
  template <class Value>
  void bind_next(const std::optional<Value>& value) {
    if (value) return bind_next(*value);
    ++bound_;  // unbound is NULL
  }
  void bind_integer(std::int64_t value);
  void note(int code);

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  std::optional<Error> error_;
};

/// Everything between begin and commit happens or does not. Rolls back when it goes without a commit.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;
};

}  // namespace maildirsync::agent::sqlite
