#include "agent/verify/compare.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::agent {
namespace {

using sync::AccountManifest;
using sync::Attributes;
using sync::Entry;
using sync::testing::account;
using sync::testing::file;
using sync::testing::folder;
using sync::testing::listed;
using Lines = std::vector<std::string>;

const sync::OwnerMapping k_equal = [](const Attributes& owner) {
  return std::optional(std::pair(owner.uid, owner.gid));
};

sync::Digest digest(std::uint8_t first) {
  sync::Digest digest;
  digest.bytes[0] = first;
  return digest;
}

Lines lines(const std::vector<Difference>& differences) {
  Lines lines;
  for (const auto& difference : differences) {
    lines.push_back(std::string(to_string(difference.kind)) + " " + difference.folder + " " + difference.name);
  }
  return lines;
}

Lines compared(const AccountManifest& source, const AccountManifest& destination) {
  return lines(compare(source, destination, k_equal));
}

AccountManifest sample() {
  return account({folder("", 1, {file("cur/1.x:2,S", 11), file("new/2.x", 12), file("dovecot-uidlist", 13)}),
                  folder(".Sent", 2, {file("cur/3.x:2,", 14)})});
}

Entry& entry(AccountManifest& manifest, std::size_t folder_index, const std::string& name) {
  for (auto& candidate : manifest.folders.at(folder_index).entries) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range(name);
}

TEST(Compare, equal_accounts_have_no_differences) {
  EXPECT_EQ(Lines{}, compared(sample(), listed(sample())));
}

TEST(Compare, a_message_that_is_not_there_is_missing_and_one_that_is_only_there_is_extra) {
  auto there = listed(sample());
  there.folders[1].entries = {file("cur/9.y:2,", 99)};
  EXPECT_EQ((Lines{"missing .Sent 3.x:2,", "extra .Sent 9.y:2,"}), compared(sample(), there));
}

TEST(Compare, other_flags_and_another_directory_are_a_name) {
  auto there = listed(sample());
  entry(there, 0, "1.x:2,S").name = "1.x:2,FS";
  auto& unread = entry(there, 0, "2.x");
  unread.area = sync::Area::cur;
  unread.name = "2.x:2,";
  std::sort(there.folders[0].entries.begin(), there.folders[0].entries.end(), sync::before_in_folder);
  EXPECT_EQ((Lines{"name  1.x:2,S", "name  2.x"}), compared(sample(), there));
}

TEST(Compare, another_base_name_with_the_stamp_of_the_missing_one_is_a_name) {
  auto there = listed(sample());
  entry(there, 1, "3.x:2,").name = "other:2,";
  EXPECT_EQ((Lines{"name .Sent 3.x:2,"}), compared(sample(), there));
}

TEST(Compare, a_base_name_in_new_and_in_cur_is_two_messages) {
  auto here = account({folder("", 1, {file("cur/1.x:2,S", 11), file("new/1.x", 12)})});
  EXPECT_EQ(Lines{}, compared(here, listed(here)));
  auto there = listed(here);
  there.folders[0].entries.pop_back();
  EXPECT_EQ((Lines{"missing  1.x"}), compared(here, there));
}

TEST(Compare, one_fault_in_the_file_is_one_difference) {
  auto here = sample();
  auto there = listed(sample());
  entry(there, 0, "1.x:2,S").size += 1;
  entry(there, 0, "1.x:2,S").mtime += 1;
  entry(there, 0, "2.x").mtime += 1;
  entry(here, 1, "3.x:2,").digest = digest(1);
  entry(there, 1, "3.x:2,").digest = digest(2);
  EXPECT_EQ((Lines{"size  1.x:2,S", "time  2.x", "content .Sent 3.x:2,"}), compared(here, there));
}

TEST(Compare, owners_and_modes_of_files_and_directories) {
  auto there = listed(sample());
  entry(there, 0, "1.x:2,S").attributes.mode = 0640;
  entry(there, 0, "2.x").attributes.gid = 7;
  there.folders[1].self.uid = 7;
  there.folders[1].cur->mode = 0750;
  EXPECT_EQ((Lines{"mode  1.x:2,S", "owner  2.x", "owner .Sent ", "mode .Sent cur"}), compared(sample(), there));
}

TEST(Compare, the_owner_is_compared_through_the_receivers_mapping) {
  const auto here = account({folder("", 1, {file("cur/1.x:2,S", 11)})});
  const sync::OwnerMapping moved = [](const Attributes&) { return std::optional(std::pair(7U, 8U)); };
  const sync::OwnerMapping none = [](const Attributes&) { return std::optional<std::pair<unsigned, unsigned>>(); };
  EXPECT_FALSE(compare(here, listed(here), moved).empty());
  auto there = listed(here);
  for (auto* attributes : {&there.folders[0].self, &*there.folders[0].cur, &*there.folders[0].new_,
                           &*there.folders[0].tmp, &there.folders[0].entries[0].attributes}) {
    attributes->uid = 7;
    attributes->gid = 8;
  }
  EXPECT_EQ(Lines{}, lines(compare(here, there, moved)));
  EXPECT_NE(std::string::npos, compare(here, there, none).back().detail.find("not mapped"));
}

TEST(Compare, a_control_file_that_is_missing_or_other_is_control) {
  auto there = listed(sample());
  entry(there, 0, "dovecot-uidlist").size += 1;
  EXPECT_EQ((Lines{"control  dovecot-uidlist"}), compared(sample(), there));
  std::erase_if(there.folders[0].entries, [](const Entry& e) { return e.area == sync::Area::folder; });
  EXPECT_EQ((Lines{"control  dovecot-uidlist"}), compared(sample(), there));
  there.folders[0].entries.insert(there.folders[0].entries.begin(), file("subscriptions", 5));
  EXPECT_EQ((Lines{"control  dovecot-uidlist", "extra  subscriptions"}), compared(sample(), there));
}

TEST(Compare, a_folder_is_missing_or_extra_as_a_whole) {
  auto there = listed(sample());
  there.folders[1].path = ".Junk";
  EXPECT_EQ((Lines{"missing .Sent ", "extra .Junk "}), compared(sample(), there));
  auto here = sample();
  here.structure_whole = false;  // a folder that could not be read is not one that is not there
  EXPECT_EQ((Lines{"missing .Sent "}), compared(here, there));
}

TEST(Compare, an_account_is_missing_or_extra_as_a_whole) {
  AccountManifest none;
  none.exists = false;
  EXPECT_EQ((Lines{"missing  "}), compared(sample(), none));
  EXPECT_EQ((Lines{"extra  "}), compared(none, listed(sample())));
  EXPECT_EQ(Lines{}, compared(none, none));
}

TEST(Compare, a_message_whose_name_was_taken_is_a_name_and_the_other_file_extra) {
  auto there = listed(sample());
  auto beside = entry(there, 0, "1.x:2,S");
  beside.name = "1.c0ffee00.x:2,S";
  entry(there, 0, "1.x:2,S").size = 5;
  there.folders[0].entries.push_back(beside);
  std::sort(there.folders[0].entries.begin(), there.folders[0].entries.end(), sync::before_in_folder);
  const auto found = compare(sample(), there, k_equal, {{{"", "1.x"}, "1.c0ffee00.x"}});
  EXPECT_EQ((Lines{"name  1.x:2,S", "extra  1.x:2,S"}), lines(found));
}

TEST(Lasting, keeps_what_was_there_before_with_the_same_evidence) {
  auto there = listed(sample());
  entry(there, 0, "1.x:2,S").attributes.mode = 0640;
  entry(there, 0, "2.x").attributes.mode = 0640;
  const auto first = compare(sample(), there, k_equal);
  entry(there, 0, "2.x").inode = 5;  // touched meanwhile
  entry(there, 1, "3.x:2,").attributes.mode = 0640;
  EXPECT_EQ((Lines{"mode  1.x:2,S"}), lines(lasting(first, compare(sample(), there, k_equal))));
}

TEST(Lasting, a_content_stays_different_whatever_its_name) {
  auto here = sample();
  auto there = listed(sample());
  entry(here, 1, "3.x:2,").digest = digest(1);
  entry(there, 1, "3.x:2,").digest = digest(2);
  const auto first = compare(here, there, k_equal);
  auto later = account({folder("", 1, here.folders[0].entries), folder(".Sent", 2, {file("cur/3.x:2,S", 14)})});
  auto later_there = listed(later);
  carry_digests(first, later, later_there);
  EXPECT_EQ((Lines{"content .Sent 3.x:2,S"}), lines(lasting(first, compare(later, later_there, k_equal))));
}

}  // namespace
}  // namespace maildirsync::agent
