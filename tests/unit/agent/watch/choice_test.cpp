#include "agent/watch/choice.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using config::WatchBackend;
using maildirsync::testing::Tree;

std::vector<config::AgentRoot> root_at(const std::string& path) {
  config::AgentRoot root;
  root.name = "vhosts";
  root.path = path;
  return {root};
}

/// A file system whose directories fanotify cannot watch.
const char* const k_unfit = "/proc";

TEST(Choice, inotify_is_taken_when_it_is_asked_for) {
  const Tree tree;
  const auto choice = choose_watcher(WatchBackend::inotify, root_at(tree.path()));
  ASSERT_TRUE(choice);
  EXPECT_STREQ(choice->watcher->backend(), "inotify");
  EXPECT_EQ(choice->reason, "as configured");
}

TEST(Choice, automatic_takes_fanotify_where_it_works_and_else_says_why_not) {
  const Tree tree;
  const auto choice = choose_watcher(WatchBackend::automatic, root_at(tree.path()));
  ASSERT_TRUE(choice);
  const auto fanotify = make_fanotify_watcher();
  EXPECT_STREQ(choice->watcher->backend(), fanotify ? "fanotify" : "inotify");
  if (!fanotify) {
    EXPECT_NE(choice->reason.find(fanotify.error().detail), std::string::npos) << choice->reason;
  }
}

TEST(Choice, automatic_takes_inotify_when_one_root_is_on_a_file_system_that_fanotify_cannot_watch) {
  const auto choice = choose_watcher(WatchBackend::automatic, root_at(k_unfit));
  ASSERT_TRUE(choice);
  EXPECT_STREQ(choice->watcher->backend(), "inotify");
  EXPECT_NE(choice->reason.find("fanotify is not possible here"), std::string::npos) << choice->reason;
}

TEST(Choice, fanotify_fails_with_the_reason_where_it_does_not_work) {
  const auto choice = choose_watcher(WatchBackend::fanotify, root_at(k_unfit));
  ASSERT_FALSE(choice);
  EXPECT_NE(choice.error().message().find("watch.backend = \"fanotify\" is not possible here"), std::string::npos)
      << choice.error().message();
}

TEST(Choice, a_root_that_is_missing_decides_nothing) {
  const Tree tree;
  const auto with = choose_watcher(WatchBackend::automatic, root_at(tree.path()));
  const auto without = choose_watcher(WatchBackend::automatic, root_at(tree.path("missing")));
  ASSERT_TRUE(with && without);
  EXPECT_STREQ(with->watcher->backend(), without->watcher->backend());
}

}  // namespace
}  // namespace maildirsync::agent
