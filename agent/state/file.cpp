// Damage is not searched for at the start: reading all of a large database takes long, and SQLite survives crashes. It
// shows when a damaged page is read, perhaps days later. Then a mark is left beside the file, and the next start puts
// the file aside.

#include "agent/state/file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/state/schema.h"

namespace maildirsync::agent {

namespace {

constexpr mode_t k_private_file = 0600;

/// WAL with synchronous=NORMAL: a crash of the agent loses nothing, one of the machine the last transactions, which
/// costs comparing and no mail. The log is cut back after a large transaction.
constexpr const char* k_settings = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -12288;
PRAGMA journal_size_limit = 67108864;
)sql";

Failure state_failure(const std::string& path, const std::string& detail) {
  return Failure(Error{ErrorCode::state, path, detail, errno});
}

Result<os::Fd> lock(const std::string& directory) {
  const std::string path = directory + "/lock";
  os::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, k_private_file));
  if (!fd) return state_failure(path, "the lock of the state directory can't be opened");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return state_failure(path, "the state directory can't be locked");
  return failure(ErrorCode::exists, directory,
                 "another maildirsync-agent is using this state directory; stop it, or give this one a state_dir of "
                 "its own");
}

std::string stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &utc);
  return text.data();
}

class File {
 public:
  explicit File(const std::string& directory) : path_(directory + "/state.db"), mark_(path_ + "-damaged") {}

  bool is_marked() const { return ::access(mark_.c_str(), F_OK) == 0; }

  /// The log goes first: a new database must never meet the old one's, whose pages would be written into it.
  Result<> put_aside() const {
    const std::string aside = path_ + ".corrupt-" + stamp();
    for (const char* part : {"-wal", "-shm", ""}) {
      if (std::rename((path_ + part).c_str(), (aside + part).c_str()) != 0 && errno != ENOENT) {
        return state_failure(path_ + part, "a damaged state database can't be put aside");
      }
    }
    if (::unlink(mark_.c_str()) != 0 && errno != ENOENT) {
      return state_failure(mark_, "the mark of a damaged state database can't be removed");
    }
    return {};
  }

  Result<std::unique_ptr<sqlite::Database>> open() const {
    const auto leave_mark = [mark = mark_] {
      const os::Fd file(::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, k_private_file));
    };
    auto database = sqlite::Database::open(path_, leave_mark);
    if (!database) return database;
    MAILDIRSYNC_TRY((*database)->execute(k_settings));
    MAILDIRSYNC_TRY(prepare_schema(**database));
    return database;
  }

 private:
  std::string path_;
  std::string mark_;
};

}  // namespace

Result<StateFile> open_state_file(const std::string& directory) {
  MAILDIRSYNC_ASSIGN(auto locked, lock(directory));
  StateFile result{.lock = std::move(locked)};
  const File file(directory);
  for (;;) {
    if (file.is_marked()) {
      MAILDIRSYNC_TRY(file.put_aside());
      result.was_reset = true;
    }
    auto database = file.open();
    if (database) {
      result.database = std::move(*database);
      return result;
    }
    if (result.was_reset || !file.is_marked()) return Failure(database.error());
  }
}

}  // namespace maildirsync::agent
