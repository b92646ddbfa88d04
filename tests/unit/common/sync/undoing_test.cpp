#include "common/sync/undoing.h"

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::file;
using testing::folder;
using testing::listed;

constexpr std::int64_t k_always = std::numeric_limits<std::int64_t>::max();

const AccountManifest mirrored =
    account({folder("", 1, {file("cur/1.x:2,", 11), file("cur/2.x:2,S", 12), file("subscriptions", 18)}),
             folder(".Copies", 2, {file("cur/1.x:2,", 11)}), folder(".Sent", 3, {file("cur/5.x:2,S", 15)}),
             folder("sieve", 4, {file("main.sieve", 19), file("main.svbin", 20)})});

AccountManifest without(AccountManifest manifest, const std::string& path, const std::string& name) {
  std::erase_if(manifest.find(path)->entries, [&](const Entry& entry) { return entry.name == name; });
  return manifest;
}

AccountManifest without(AccountManifest manifest, const std::string& path) {
  std::erase_if(manifest.folders, [&](const FolderManifest& one) { return one.path == path; });
  return manifest;
}

AccountManifest with(AccountManifest manifest, const std::string& path, const Entry& entry) {
  manifest = without(std::move(manifest), path, entry.name);
  auto& entries = manifest.find(path)->entries;
  entries.push_back(entry);
  std::sort(entries.begin(), entries.end(), before_in_folder);
  return manifest;
}

Entry changed(const std::string& name, std::uint64_t inode) {
  Entry entry = file(name, inode);
  entry.mtime += 1'000'000'000;
  return entry;
}

TEST(Undoing, is_nothing_where_users_did_nothing) {
  EXPECT_FALSE(what_a_mirror_would_undo(listed(mirrored), mirrored, {}, mirrored, k_always).any());
  EXPECT_FALSE(what_a_mirror_would_undo(listed(mirrored), {}, {}, mirrored, k_always).any());
}

TEST(Undoing, is_not_what_the_source_did) {
  auto after = with(without(mirrored, "", "2.x:2,S"), "sieve", changed("main.sieve", 29));
  after = with(without(after, ".Copies", "1.x:2,"), ".Sent", file("cur/9.x", 30));
  EXPECT_FALSE(what_a_mirror_would_undo(listed(mirrored), mirrored, {}, after, 0).any());
  EXPECT_FALSE(what_a_mirror_would_undo(listed(after), mirrored, {}, after, 0).any());
}

TEST(Undoing, counts_the_messages_of_a_folder_that_is_missing) {
  const auto work = what_a_mirror_would_undo(listed(without(mirrored, ".Sent")), mirrored, {}, mirrored, 0);
  EXPECT_EQ(work.in_missing_folders, 1U);
  EXPECT_EQ(work.deletions + work.control_files, 0U);
  EXPECT_EQ(describe(work), "1 message of a folder missing there");
}

TEST(Undoing, counts_an_account_that_is_missing) {
  AccountManifest nothing;
  nothing.exists = false;
  const auto work = what_a_mirror_would_undo(nothing, mirrored, {}, mirrored, 0);
  EXPECT_EQ(work.in_missing_folders, 4U);
  EXPECT_EQ(work.control_files, 2U);  // a compiled sieve is the server's own
}

TEST(Undoing, counts_a_deletion_of_which_a_copy_lies_in_another_folder) {
  EXPECT_EQ(what_a_mirror_would_undo(listed(without(mirrored, "", "1.x:2,")), mirrored, {}, mirrored, 0).deletions, 1U);
}

TEST(Undoing, a_move_is_no_deletion) {
  const auto there = listed(with(without(mirrored, "", "1.x:2,"), ".Sent", file("cur/1.x:2,", 11)));
  const auto work = what_a_mirror_would_undo(there, mirrored, {}, mirrored, 0);
  EXPECT_EQ(work.deletions, 0U);
  EXPECT_EQ(work.moves + work.only_there, 1U);
}

TEST(Undoing, counts_deletions_where_the_record_is_lost_and_all_had_been_given) {
  const auto there = listed(without(mirrored, "", "2.x:2,S"));
  EXPECT_EQ(what_a_mirror_would_undo(there, {}, {}, mirrored, k_always).deletions, 1U);
  EXPECT_EQ(what_a_mirror_would_undo(there, {}, {}, mirrored, testing::k_mtime + 1'000'000'000).deletions, 1U);
  EXPECT_FALSE(what_a_mirror_would_undo(there, {}, {}, mirrored, testing::k_mtime).any());
  EXPECT_FALSE(what_a_mirror_would_undo(there, {}, {}, mirrored, 0).any());
}

TEST(Undoing, counts_control_files_with_other_content) {
  const auto there = with(with(mirrored, "", changed("subscriptions", 28)), "sieve", changed("main.svbin", 30));
  EXPECT_EQ(what_a_mirror_would_undo(listed(there), mirrored, {}, mirrored, 0).control_files, 1U);
  EXPECT_EQ(what_a_mirror_would_undo(listed(there), {}, {}, mirrored, k_always).control_files, 1U);
  EXPECT_EQ(what_a_mirror_would_undo(listed(there), {}, {}, mirrored, 0).control_files, 0U);
}

TEST(Undoing, a_control_file_that_was_written_again_as_it_was_is_not_counted) {
  auto given = file("subscriptions", 18);
  given.digest = Digest{{1}};
  auto again = given;
  again.mtime += 1'000'000'000;
  const auto source = with(mirrored, "", given);
  EXPECT_EQ(what_a_mirror_would_undo(with(listed(mirrored), "", again), source, {}, source, 0).control_files, 0U);
  again.digest = Digest{{2}};
  EXPECT_EQ(what_a_mirror_would_undo(with(listed(mirrored), "", again), source, {}, source, 0).control_files, 1U);
}

}  // namespace
}  // namespace maildirsync::sync
