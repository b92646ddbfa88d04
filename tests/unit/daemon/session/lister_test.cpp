#include "daemon/session/lister.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

class ListerTest : public ::testing::Test {
 protected:
  /// The entries of the account "a", whose listing has no error.
  std::vector<wire::Entry> list(Digests digests, std::int64_t digests_since = 0) {
    Lister lister(std::make_shared<const os::Directory>(tree_.open()), "a", 1, digests, ChangeStamps::no, Indexes::keep,
                  digests_since);
    std::vector<wire::Entry> entries;
    for (bool last = false; !last;) {
      const auto listing = lister.next();
      EXPECT_EQ(listing.error(), 0u) << listing.detail();
      for (const auto& folder : listing.folders())
        entries.insert(entries.end(), folder.entries().begin(), folder.entries().end());
      last = listing.last();
    }
    return entries;
  }

  Tree tree_;
};

TEST_F(ListerTest, says_what_is_there_with_its_digest) {
  tree_.maildir("a").message("a/cur/1.x:2,", "hello").file("a/dovecot-uidlist", "1 :1.x\n");
  const auto entries = list(Digests::all);
  ASSERT_EQ(entries.size(), 2u);
  for (const auto& entry : entries)
    EXPECT_EQ(entry.digest().size(), 16u) << entry.name();
  EXPECT_TRUE(list(Digests::control_files)[1].digest().empty());
}

TEST_F(ListerTest, has_digests_of_what_was_changed_since) {
  tree_.maildir("a").message("a/cur/1.x:2,", "hello").file("a/dovecot-uidlist", "1 :1.x\n");
  tree_.mtime("a/cur/1.x:2,", 1);  // its time says nothing of when it was put there
  const auto changed = os::nanoseconds(tree_.status("a/cur/1.x:2,").st_ctim);
  for (const auto& entry : list(Digests::no))
    EXPECT_TRUE(entry.digest().empty()) << entry.name();
  for (const auto& entry : list(Digests::no, changed + 3'600'000'000'000))
    EXPECT_TRUE(entry.digest().empty()) << entry.name();
  for (const auto& entry : list(Digests::no, changed - 3'600'000'000'000))
    EXPECT_FALSE(entry.digest().empty()) << entry.name();
}

// One without a digest is taken for one that cannot be read.
TEST_F(ListerTest, has_a_digest_for_each_message_that_it_names_while_they_are_renamed) {
  tree_.maildir("a").message("a/cur/1.x:2,");
  std::atomic<bool> stop = false;
  std::thread server([&] {
    while (!stop)
      tree_.rename("a/cur/1.x:2,", "a/cur/1.x:2,S").rename("a/cur/1.x:2,S", "a/cur/1.x:2,");
  });
  for (int i = 0; i < 3000; ++i) {
    for (const auto& entry : list(Digests::all))
      EXPECT_FALSE(entry.digest().empty()) << entry.name();
  }
  stop = true;
  server.join();
}

}  // namespace
}  // namespace maildirsync::daemon
