#include <filesystem>
#include <fstream>

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "tests/unit/agent/state/accounts.h"

namespace maildirsync::agent {
namespace {

using namespace testing;

class OpenTest : public StateTest {
 protected:
  std::string database() const { return directory.path("state.db"); }

  /// Names in the directory that begin so.
  std::size_t count(const std::string& beginning) const {
    std::size_t found = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
      if (file.path().filename().string().starts_with(beginning)) ++found;
    }
    return found;
  }

  void fill(int messages) {
    std::vector<sync::Operation> operations{make_folder("")};
    for (int i = 1; i <= messages; ++i) {
      operations.push_back(put(at("", "cur/" + std::to_string(i) + ".x:2,"), static_cast<std::uint64_t>(i)));
    }
    apply(operations);
  }
};

TEST_F(OpenTest, a_new_directory_gives_an_empty_state_that_only_its_owner_reads) {
  EXPECT_FALSE(state->was_reset());
  EXPECT_TRUE(state->folders(account).value().folders.empty());
  for (const auto* file : {"state.db", "state.db-wal", "lock"})
    EXPECT_EQ(directory.status(file).st_mode & 0777, 0600);
}

TEST_F(OpenTest, a_second_agent_is_refused_and_told_why) {
  const auto second = State::open(directory.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::exists);
  EXPECT_NE(second.error().message().find("another maildirsync-agent"), std::string::npos) << second.error().message();
  EXPECT_NE(second.error().message().find(directory.path()), std::string::npos);
}

TEST_F(OpenTest, a_missing_directory_is_an_error_with_its_path) {
  const auto opened = State::open(directory.path("missing"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::state);
  EXPECT_NE(opened.error().message().find(directory.path("missing")), std::string::npos);
}

TEST_F(OpenTest, a_file_that_is_no_database_is_put_aside) {
  fill(10);
  state.reset();
  directory.file("state.db", std::string(8192, 'x'));
  open();
  EXPECT_TRUE(state->was_reset());
  EXPECT_EQ(count("state.db.corrupt-"), 1U);
  EXPECT_TRUE(state->folders(account).value().folders.empty());
  fill(3);
  open();
  EXPECT_FALSE(state->was_reset());
  EXPECT_EQ(names("").size(), 3U);
}

TEST_F(OpenTest, damage_that_shows_later_is_told_and_put_aside_at_the_next_start) {
  fill(2000);
  state.reset();
  const auto size = std::filesystem::file_size(database());
  {
    std::fstream file(database(), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(size / 4));
    file << std::string(size / 2, '\xa5');
  }
  open();
  EXPECT_FALSE(state->was_reset());
  const auto entries = state->entries(account, "");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code, ErrorCode::state);
  EXPECT_NE(entries.error().message().find("damaged"), std::string::npos) << entries.error().message();
  EXPECT_NE(entries.error().message().find(database()), std::string::npos);
  open();
  EXPECT_TRUE(state->was_reset());
  fill(10);
  EXPECT_EQ(names("").size(), 10U);
  open();
  EXPECT_FALSE(state->was_reset());
}

TEST_F(OpenTest, a_new_database_does_not_take_over_the_log_of_the_one_put_aside) {
  fill(10);
  const std::string log = directory.content("state.db-wal");
  ASSERT_FALSE(log.empty());
  state.reset();
  directory.file("state.db-wal", log).file("state.db", std::string(8192, 'x')).file("state.db-damaged");
  open();
  EXPECT_TRUE(state->was_reset());
  EXPECT_TRUE(state->folders(account).value().folders.empty());
}

TEST_F(OpenTest, a_database_of_a_newer_version_is_refused_and_left_alone) {
  fill(3);
  state.reset();
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection, "PRAGMA user_version = 1000", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(connection);
  const auto opened = State::open(directory.path());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::state);
  EXPECT_NE(opened.error().message().find("newer maildirsync"), std::string::npos) << opened.error().message();
  EXPECT_EQ(count("state.db.corrupt-"), 0U);
}

TEST_F(OpenTest, a_database_of_version_1_knows_nothing_of_looks_and_mounts) {
  fill(3);
  state.reset();
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection,
                         "ALTER TABLE folder DROP COLUMN look; ALTER TABLE folder DROP COLUMN mount; "
                         "PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(connection);
  open();
  const auto looks = state->looks(account).value();
  ASSERT_EQ(looks.size(), 1U);
  EXPECT_EQ(looks.front().second, 0U);
  EXPECT_TRUE(state->mounts(account).value().empty());
  EXPECT_EQ(state->entries(account, "").value().size(), 3U);
}

TEST_F(OpenTest, what_was_applied_is_there_after_a_crash) {
  fill(10);
  Tree crashed;
  for (const auto* file : {"state.db", "state.db-wal"})
    crashed.file(file, directory.content(file));
  const auto reopened = State::open(crashed.path()).value();
  EXPECT_EQ(reopened->entries(account, "").value().size(), 10U);
}

/// A limit on the size of files in place of a full disk: writes fail with EFBIG where they would with ENOSPC.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;
  ~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(OpenTest, a_full_disk_refuses_a_batch_as_a_whole_and_everything_goes_on_when_there_is_space) {
  fill(100);
  std::vector<sync::Operation> batch;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    batch.push_back(put(at("", "new/" + std::to_string(i) + ".y"), i));
    batch.back().result.attributes.uid = 5;  // an owner that is not known yet
  }
  {
    const SmallFiles full(std::filesystem::file_size(directory.path("state.db-wal")) + 8192);
    const auto applied = state->apply(account, batch);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, ErrorCode::state);
    EXPECT_NE(applied.error().message().find(database()), std::string::npos) << applied.error().message();
    EXPECT_EQ(names("").size(), 100U);
    EXPECT_EQ(state->account_row(account).value().messages, 100U);
  }
  apply(batch);
  open();
  EXPECT_FALSE(state->was_reset());
  EXPECT_EQ(names("").size(), 20'100U);
  EXPECT_EQ(state->entries(account, "").value().back().attributes.uid, 5U);
}

}  // namespace
}  // namespace maildirsync::agent
