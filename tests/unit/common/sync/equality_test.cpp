#include "common/sync/equality.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

using testing::file;

const Digest k_content{{1}};
const Digest k_other_content{{2}};

Entry message() {
  return file("cur/1.x:2,S", 7);
}

Entry link_to(const std::string& target) {
  Entry entry = file("link", 8);
  entry.kind = EntryKind::symlink;
  entry.size = target.size();
  entry.target = target;
  return entry;
}

template <class Change>
Entry but(Entry entry, Change change) {
  change(entry);
  return entry;
}

TEST(Equality, a_stamp_is_kind_size_time_and_target_and_not_a_name) {
  EXPECT_TRUE(same_stamp(message(), but(message(), [](Entry& entry) { entry.name = "2.y"; })));
  EXPECT_TRUE(same_stamp(message(), but(message(), [](Entry& entry) { entry.inode = 0; })));
  EXPECT_FALSE(same_stamp(message(), but(message(), [](Entry& entry) { ++entry.size; })));
  EXPECT_FALSE(same_stamp(message(), but(message(), [](Entry& entry) { ++entry.mtime; })));
  EXPECT_FALSE(same_stamp(link_to("a"), link_to("b")));
}

TEST(Equality, no_destination_keeps_the_time_of_a_link) {
  EXPECT_TRUE(same_stamp(link_to("a"), but(link_to("a"), [](Entry& entry) { ++entry.mtime; })));
}

TEST(Equality, what_was_read_counts_more_than_a_stamp) {
  const auto read = but(message(), [](Entry& entry) { entry.digest = k_content; });
  EXPECT_TRUE(same_content(read, message()));
  EXPECT_TRUE(same_content(read, read));
  EXPECT_FALSE(same_content(read, but(message(), [](Entry& entry) { entry.digest = k_other_content; })));
}

TEST(Equality, a_message_is_known_by_its_inode_under_any_name) {
  const auto renamed = but(message(), [](Entry& entry) { entry.name = "2.y:2,"; });
  EXPECT_TRUE(same_message(message(), renamed));
  EXPECT_FALSE(same_message(message(), but(message(), [](Entry& entry) { ++entry.inode; })));
}

TEST(Equality, a_message_whose_inode_is_not_known_is_known_by_its_base_name) {
  const auto listed = but(message(), [](Entry& entry) { entry.inode = 0; });
  EXPECT_TRUE(same_message(listed, but(message(), [](Entry& entry) { entry.name = "1.x:2,FS"; })));
  EXPECT_FALSE(same_message(listed, but(message(), [](Entry& entry) { entry.name = "2.y:2,S"; })));
}

TEST(Equality, a_record_has_the_owner_and_the_mode) {
  EXPECT_TRUE(same_record(message(), message()));
  EXPECT_FALSE(same_record(message(), but(message(), [](Entry& entry) { ++entry.attributes.uid; })));
  EXPECT_FALSE(same_record(message(), but(message(), [](Entry& entry) { entry.attributes.mode = 0640; })));
}

TEST(Equality, a_digest_holds_while_the_file_is_the_same_and_untouched) {
  EXPECT_TRUE(same_version(message(), but(message(), [](Entry& entry) { entry.attributes.mode = 0640; })));
  EXPECT_FALSE(same_version(message(), but(message(), [](Entry& entry) { ++entry.mtime; })));
  EXPECT_FALSE(same_version(message(), but(message(), [](Entry& entry) { ++entry.inode; })));
}

TEST(Equality, what_was_opened_is_what_was_scanned_only_while_it_belongs_to_the_same_user) {
  struct stat status {};
  status.st_mode = S_IFREG | 0600;
  status.st_size = static_cast<off_t>(message().size);
  status.st_mtim = {message().mtime / 1'000'000'000, message().mtime % 1'000'000'000};
  status.st_uid = message().attributes.uid;
  EXPECT_TRUE(is_as_scanned(status, message()));
  ++status.st_uid;
  EXPECT_FALSE(is_as_scanned(status, message()));
  --status.st_uid;
  status.st_mode = S_IFIFO | 0600;
  EXPECT_FALSE(is_as_scanned(status, message()));
}

TEST(Equality, an_intent_tells_what_we_were_about_to_create) {
  const Intent intent{{"", Area::cur, message().name}, message().size, message().mtime, message().inode};
  EXPECT_TRUE(is_intended(but(message(), [](Entry& entry) { entry.inode = 0; }), intent));
  EXPECT_FALSE(is_intended(but(message(), [](Entry& entry) { --entry.size; }), intent));
}

TEST(Equality, a_power_cut_leaves_the_beginning_nothing_or_the_size_without_the_content) {
  const auto whole = but(message(), [](Entry& entry) { entry.digest = k_content; });
  EXPECT_TRUE(is_torn(but(message(), [](Entry& entry) { --entry.size; }), whole));
  EXPECT_TRUE(is_torn(but(message(), [](Entry& entry) { entry.size = 0, ++entry.mtime; }), whole));
  EXPECT_TRUE(is_torn(but(message(), [](Entry& entry) { entry.digest = k_other_content; }), whole));
  EXPECT_FALSE(is_torn(whole, whole));
}

TEST(Equality, somebody_elses_shorter_file_of_another_time_is_not_torn) {
  EXPECT_FALSE(is_torn(but(message(), [](Entry& entry) { --entry.size, ++entry.mtime; }), message()));
}

}  // namespace
}  // namespace maildirsync::sync
