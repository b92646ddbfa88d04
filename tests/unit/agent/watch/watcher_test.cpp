#include "agent/watch/watcher.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;

using Make = Result<std::unique_ptr<Watcher>> (*)();
struct Backend {
  const char* name;
  Make make;
};
void PrintTo(const Backend& backend, std::ostream* out) {
  *out << backend.name;
}
const Backend k_inotify{"inotify", make_inotify_watcher};
const Backend k_fanotify{"fanotify", make_fanotify_watcher};

/// The same promises of each backend. An event is in the queue before the call that caused it returns.
class WatcherTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    auto made = GetParam().make();
    if (!made) GTEST_SKIP() << made.error().message();
    watcher = std::move(*made);
    tree.maildir();
    watch("", Part::folder, "");
    watch("cur", Part::cur, "");
    watch("new", Part::new_, "");
  }

  void watch(const std::string& relative, Part part, const std::string& folder, std::uint32_t owner = 1) {
    const auto directory = tree.open().open_directory(relative).value();
    const auto result = watcher->watch(directory, {part, owner, folder});
    ASSERT_TRUE(result) << result.error().message();
  }

  std::vector<Event> read_all() {
    std::vector<Event> all;
    for (bool more = true; more;) {
      auto taken = watcher->read();
      all.insert(all.end(), taken.events.begin(), taken.events.end());
      more = taken.more;
    }
    return all;
  }

  /// What is there by now, as lines.
  std::vector<std::string> seen() {
    std::vector<std::string> lines;
    for (const auto& event : read_all()) {
      const char* kind = event.kind == EventKind::name        ? "name"
                         : event.kind == EventKind::directory ? "directory"
                         : event.kind == EventKind::self_gone ? "gone"
                                                              : "overflow";
      const char* part = event.place.part == Part::cur    ? "cur"
                         : event.place.part == Part::new_ ? "new"
                         : event.place.part == Part::root ? "root"
                         : event.place.part == Part::tmp  ? "tmp"
                                                          : "folder";
      lines.push_back(std::string(kind) + " " + part + " " + event.place.path + "/" + event.name);
    }
    return lines;
  }
  bool saw(const std::vector<std::string>& lines, const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }

  Tree tree;
  std::unique_ptr<Watcher> watcher;
};

INSTANTIATE_TEST_SUITE_P(each, WatcherTest, ::testing::Values(k_inotify, k_fanotify),
                         [](const auto& each) { return std::string(each.param.name); });

using Lines = std::vector<std::string>;

TEST_P(WatcherTest, is_silent_and_does_not_wait_while_nothing_happens) {
  EXPECT_EQ(seen(), Lines{});
}

TEST_P(WatcherTest, becomes_readable_when_there_are_events) {
  pollfd poller{watcher->fd(), POLLIN, 0};
  // The mark is on the file system: what others do there wakes it too.
  if (watcher->backend() == std::string_view("inotify")) {
    EXPECT_EQ(::poll(&poller, 1, 0), 0);
  }
  tree.message("new/1.x");
  EXPECT_EQ(::poll(&poller, 1, 0), 1);
}

TEST_P(WatcherTest, tells_of_a_delivery_by_a_move_out_of_tmp) {
  tree.message("tmp/1.x");
  EXPECT_EQ(seen(), Lines{});
  tree.rename("tmp/1.x", "new/1.x");
  EXPECT_EQ(seen(), Lines({"name new /1.x"}));
}

TEST_P(WatcherTest, tells_both_names_of_a_flag_change) {
  tree.message("cur/1.x:2,");
  seen();
  tree.rename("cur/1.x:2,", "cur/1.x:2,S");
  EXPECT_EQ(seen(), Lines({"name cur /1.x:2,", "name cur /1.x:2,S"}));
}

TEST_P(WatcherTest, tells_both_ends_of_new_to_cur) {
  tree.message("new/1.x");
  seen();
  tree.rename("new/1.x", "cur/1.x:2,S");
  EXPECT_EQ(seen(), Lines({"name new /1.x", "name cur /1.x:2,S"}));
}

TEST_P(WatcherTest, tells_of_deletions_and_changes_of_mode) {
  tree.message("cur/1.x:2,");
  seen();
  tree.mode("cur/1.x:2,", 0640);
  EXPECT_EQ(seen(), Lines({"name cur /1.x:2,"}));
  tree.remove("cur/1.x:2,");
  EXPECT_TRUE(saw(seen(), "name cur /1.x:2,"));
}

// truncate(2) opens and closes nothing.
TEST_P(WatcherTest, tells_of_a_message_that_is_cut_short_in_its_place) {
  tree.message("cur/1.x:2,");
  seen();
  ASSERT_EQ(::truncate(tree.path("cur/1.x:2,").c_str(), 3), 0);
  EXPECT_EQ(seen(), Lines({"name cur /1.x:2,"}));
}

TEST_P(WatcherTest, tells_of_a_hard_link) {
  tree.message("cur/1.x:2,");
  seen();
  tree.hard_link("cur/1.x:2,", "new/1.x");
  EXPECT_TRUE(saw(seen(), "name new /1.x"));
}

TEST_P(WatcherTest, says_many_writes_to_a_control_file_once) {
  tree.file("dovecot-uidlist");
  seen();
  std::ofstream out(tree.path("dovecot-uidlist"), std::ios::app);
  for (int i = 0; i < 10; ++i)
    out << i << std::endl;
  EXPECT_EQ(seen(), Lines({"name folder /dovecot-uidlist"}));
}

TEST_P(WatcherTest, drops_names_that_are_left_out) {
  tree.file("dovecot-uidlist.lock")
      .file("dovecot.index.log")
      .file(".maildirsync.0123456789abcdef.1")
      .file("cur/.nfs01")
      .file("cur/.maildirsync.0123456789abcdef.2");
  EXPECT_EQ(seen(), Lines{});
  tree.file("cur/1.x.lock");
  EXPECT_TRUE(saw(seen(), "name cur /1.x.lock"));
}

TEST_P(WatcherTest, tells_of_a_new_folder_as_a_directory) {
  tree.directory(".Sent");
  EXPECT_EQ(seen(), Lines({"directory folder /.Sent"}));
}

TEST_P(WatcherTest, tells_both_names_of_a_renamed_folder) {
  tree.directory(".Old");
  seen();
  tree.rename(".Old", ".New");
  EXPECT_EQ(seen(), Lines({"directory folder /.Old", "directory folder /.New"}));
}

TEST_P(WatcherTest, says_when_the_watched_directory_goes_away) {
  tree.maildir(".Sent");
  seen();
  watch(".Sent/cur", Part::cur, ".Sent");
  const auto before = watcher->watches();
  tree.remove(".Sent/cur");
  EXPECT_TRUE(saw(seen(), "gone cur .Sent/"));
  EXPECT_EQ(watcher->watches(), before - 1);
}

TEST_P(WatcherTest, says_when_the_watched_directory_is_moved_away) {
  tree.maildir(".Sent");
  watch(".Sent", Part::folder, ".Sent");
  seen();
  tree.rename(".Sent", ".Gone");
  EXPECT_TRUE(saw(seen(), "gone folder .Sent/"));
}

TEST_P(WatcherTest, replaces_the_place_of_a_directory_that_it_watches_already) {
  tree.maildir(".Old");
  watch(".Old/cur", Part::cur, ".Old");
  const auto before = watcher->watches();
  tree.rename(".Old", ".New");
  seen();
  watch(".New/cur", Part::cur, ".New");
  EXPECT_EQ(watcher->watches(), before);
  tree.message(".New/cur/1.x:2,");
  EXPECT_TRUE(saw(seen(), "name cur .New/1.x:2,"));
}

TEST_P(WatcherTest, drops_events_that_waited_while_their_account_was_forgotten) {
  tree.message("cur/1.x");
  watcher->forget_account(1);
  EXPECT_EQ(seen(), Lines{});
}

TEST_P(WatcherTest, forgets_an_account_and_no_other) {
  tree.maildir("other");
  watch("other/cur", Part::cur, "", 2);
  seen();
  watcher->forget_account(1);
  EXPECT_EQ(watcher->watches(), 1u);
  tree.message("cur/1.x").message("other/cur/2.x");
  const auto lines = seen();
  EXPECT_TRUE(saw(lines, "name cur /2.x"));
  EXPECT_FALSE(saw(lines, "name cur /1.x"));
}

TEST_P(WatcherTest, tells_of_accounts_that_come_below_a_root) {
  tree.directory("root/example.org");
  watch("root", Part::root, "", 0);
  seen();
  tree.directory("root/example.net");
  tree.rename("root/example.org", "root/example.com");
  EXPECT_EQ(seen(),
            Lines({"directory root /example.net", "directory root /example.org", "directory root /example.com"}));
}

TEST_P(WatcherTest, tells_of_attributes_of_each_directory_also_of_tmp) {
  watch("tmp", Part::tmp, "");
  seen();
  for (const auto* directory : {"", "cur", "new", "tmp"}) {
    tree.mode(directory, 0711);
    const auto events = read_all();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(),
                            [](const Event& event) { return event.kind == EventKind::directory; }))
        << "of '" << directory << "'";
  }
  tree.message("tmp/1.x");
  EXPECT_EQ(seen(), Lines{});
}

TEST_P(WatcherTest, tells_of_a_message_that_is_written_in_its_place) {
  tree.message("cur/1.x:2,");
  seen();
  std::ofstream out(tree.path("cur/1.x:2,"), std::ios::app);
  out << "X-Spam: no" << std::endl;
  EXPECT_EQ(seen(), Lines({"name cur /1.x:2,"}));
  out.close();
  EXPECT_EQ(seen(), Lines({"name cur /1.x:2,"}));
}

TEST_P(WatcherTest, tells_of_a_control_file_that_stays_open) {
  std::ofstream out(tree.path("dovecot-uidlist"));
  seen();
  out << "3 V1 N1" << std::endl;
  EXPECT_EQ(seen(), Lines({"name folder /dovecot-uidlist"}));
}

TEST_P(WatcherTest, tells_of_a_folder_from_its_watch_on_wherever_it_came_from) {
  tree.maildir("elsewhere/.Moved");
  tree.rename("elsewhere/.Moved", ".Moved");
  tree.message(".Moved/cur/1.x");  // before its watch: found by the listing that follows it
  seen();
  watch(".Moved/cur", Part::cur, ".Moved");
  tree.message(".Moved/cur/2.x");
  EXPECT_TRUE(saw(seen(), "name cur .Moved/2.x"));
}

TEST_P(WatcherTest, tells_of_both_folders_that_a_message_moves_between) {
  tree.maildir(".Sent").message("cur/1.x");
  watch(".Sent/cur", Part::cur, ".Sent");
  seen();
  tree.rename("cur/1.x", ".Sent/cur/1.x");
  EXPECT_EQ(seen(), Lines({"name cur /1.x", "name cur .Sent/1.x"}));
}

TEST_P(WatcherTest, says_that_more_waits_rather_than_nothing_while_others_are_busy) {
  tree.directory("others");
  for (int i = 0; i < 20'000; ++i)
    ASSERT_EQ(::mknod(tree.path("others/" + std::to_string(i)).c_str(), S_IFREG | 0600, 0), 0);
  tree.message("new/1.x");
  EXPECT_TRUE(saw(seen(), "name new /1.x"));
}

TEST_P(WatcherTest, tells_of_directories_on_several_file_systems) {
  Tree shared("/dev/shm");
  ASSERT_TRUE(watcher->watch(shared.open(), {Part::cur, 1, ".Other"}));
  tree.message("new/1.x");
  shared.message("2.x");
  const auto lines = seen();
  EXPECT_TRUE(saw(lines, "name new /1.x"));
  EXPECT_TRUE(saw(lines, "name cur .Other/2.x"));
}

TEST_P(WatcherTest, tells_of_a_link_that_comes_below_a_root_but_of_no_file_that_changes_there) {
  tree.directory("root").file("root/aliases.db");
  watch("root", Part::root, "", 0);
  seen();
  tree.file("root/aliases.db", "changed").mode("root/aliases.db", 0640);
  EXPECT_EQ(seen(), Lines{});
  tree.link("elsewhere", "root/example.org");
  ASSERT_EQ(::lchown(tree.path("root/example.org").c_str(), ::getuid(), ::getgid()), 0);
  EXPECT_TRUE(saw(seen(), "name root /example.org"));
}

TEST_P(WatcherTest, keeps_the_last_events_for_people) {
  for (int i = 0; i < 300; ++i)
    tree.message("new/" + std::to_string(i));
  seen();
  const auto lines = watcher->recent();
  ASSERT_EQ(lines.size(), 256u);
  EXPECT_NE(lines.back().find("new 299"), std::string::npos) << lines.back();
}

}  // namespace
}  // namespace maildirsync::agent
