#include <algorithm>
#include <atomic>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "agent/scan/folder.h"
#include "common/codec/digest.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using sync::Area;
using sync::Entry;
using sync::EntryKind;

constexpr std::int64_t k_long_ago = 1'600'000'000'123'456'789;

FolderScan scan(const Tree& tree, const std::vector<Entry>& known = {}, Depth depth = Depth::full,
                const std::string& folder = "") {
  auto result = scan_folder(tree.open(), folder, known, depth);
  EXPECT_TRUE(result) << result.error().message();
  return std::move(*result);
}

const Entry* find(const FolderScan& scan, Area area, const std::string& name) {
  for (const auto& entry : scan.manifest.entries) {
    if (entry.area == area && entry.name == name) return &entry;
  }
  return nullptr;
}

std::vector<std::string> names(const FolderScan& scan) {
  std::vector<std::string> all;
  for (const auto& entry : scan.manifest.entries) {
    all.push_back((entry.area == Area::cur ? "cur/" : entry.area == Area::new_ ? "new/" : "") + entry.name);
  }
  return all;
}

using Names = std::vector<std::string>;

TEST(ScanFolder, finds_messages_and_control_files_in_order) {
  Tree tree;
  tree.maildir()
      .message("cur/2.x:2,S")
      .message("cur/1.x:2,S")
      .message("new/3.x")
      .file("dovecot-uidlist")
      .file("subscriptions");
  const auto found = scan(tree.settle());
  EXPECT_EQ(names(found), Names({"dovecot-uidlist", "subscriptions", "cur/1.x:2,S", "cur/2.x:2,S", "new/3.x"}));
  EXPECT_TRUE(found.whole);
  EXPECT_TRUE(found.problems.empty());
  EXPECT_TRUE(found.manifest.cur && found.manifest.new_ && found.manifest.tmp);
}

TEST(ScanFolder, says_all_that_a_message_is) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S", "hello").mode("cur/1.x:2,S", 0640).mtime("cur/1.x:2,S", k_long_ago);
  const auto found = scan(tree.settle());
  const Entry* entry = find(found, Area::cur, "1.x:2,S");
  ASSERT_NE(entry, nullptr);
  const auto status = tree.status("cur/1.x:2,S");
  EXPECT_EQ(entry->inode, status.st_ino);
  EXPECT_EQ(entry->size, 5u);
  EXPECT_EQ(entry->mtime, k_long_ago);
  EXPECT_EQ(entry->attributes, (sync::Attributes{0640, status.st_uid, status.st_gid}));
  EXPECT_FALSE(entry->digest);
}

TEST(ScanFolder, leaves_out_what_is_rebuilt_or_transient) {
  Tree tree;
  tree.maildir()
      .file("dovecot.index")
      .file("dovecot-uidlist.lock")
      .file(".maildirsync.1")
      .file("cur/.nfs1")
      .file("tmp/1.x")
      .directory(".Sent");
  EXPECT_EQ(names(scan(tree.settle())), Names{});
}

TEST(ScanFolder, tells_of_names_that_are_kept_for_our_own_files_and_not_of_those) {
  Tree tree;
  tree.maildir()
      .file(".maildirsync.0123456789abcdef.1")
      .file("cur/.maildirsync.0123456789abcdef.2")
      .file(".maildirsync.note")
      .file("cur/.maildirsync.1:2,S");
  std::set<std::string> told;
  for (const auto& problem : scan(tree.settle()).problems) {
    EXPECT_EQ(problem.code, ErrorCode::mail_left_out);
    told.insert(problem.path);
  }
  EXPECT_EQ(told, (std::set<std::string>{".maildirsync.note", "cur/.maildirsync.1:2,S"}));
}

TEST(ScanFolder, takes_any_bytes_for_a_name) {
  Tree tree;
  const std::string name = "1.\xff\xfe\n\x01:2,S";
  tree.maildir().message("cur/" + name);
  EXPECT_NE(find(scan(tree.settle()), Area::cur, name), nullptr);
}

TEST(ScanFolder, reads_changed_control_files_as_they_were_at_the_scan) {
  Tree tree;
  tree.maildir().file("dovecot-uidlist", "3 V1 N2\n").file("subscriptions", "Sent\n").settle();
  const auto first = scan(tree);
  EXPECT_EQ(first.control.at("dovecot-uidlist").content, "3 V1 N2\n");
  EXPECT_EQ(first.control.at("subscriptions").content, "Sent\n");
  tree.file("dovecot-uidlist", "3 V1 N3\n1 :1.x\n");
  const auto second = scan(tree, first.manifest.entries);
  EXPECT_EQ(second.control.size(), 1u);
  EXPECT_EQ(second.control.at("dovecot-uidlist").content, "3 V1 N3\n1 :1.x\n");
}

TEST(ScanFolder, does_not_read_large_files_that_name_no_messages) {
  Tree tree;
  tree.maildir()
      .file("dovecot-uidlist", std::string(100'000, 'x'))
      .file("attachment.bin", std::string(100'000, 'x'))
      .settle();
  const auto found = scan(tree);
  EXPECT_TRUE(found.control.contains("dovecot-uidlist"));
  EXPECT_FALSE(found.control.contains("attachment.bin"));
  EXPECT_NE(find(found, Area::folder, "attachment.bin"), nullptr);
}

TEST(ScanFolder, names_no_message_in_a_snapshot_that_it_does_not_list) {
  Tree tree;
  tree.maildir();
  std::atomic<bool> stop = false;
  std::thread server([&] {
    std::string uidlist;
    for (int i = 1; !stop && i < 2000; ++i) {  // the message first, then its line, as a delivery does
      const std::string name = std::to_string(i) + ".x";
      tree.message("tmp/" + name).rename("tmp/" + name, "new/" + name);
      uidlist += name + "\n";
      tree.file("dovecot-uidlist.tmp", uidlist).rename("dovecot-uidlist.tmp", "dovecot-uidlist");
    }
  });
  for (int i = 0; i < 15; ++i) {
    const auto found = scan(tree);
    const auto snapshot = found.control.find("dovecot-uidlist");
    if (snapshot == found.control.end()) continue;
    std::istringstream lines(snapshot->second.content);
    for (std::string name; std::getline(lines, name);) {
      EXPECT_NE(find(found, Area::new_, name), nullptr) << name << " is named and not listed";
    }
  }
  stop = true;
  server.join();
}

TEST(ScanFolder, keeps_digests_of_what_did_not_change) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S").message("cur/2.x:2,S").message("cur/3.x:2,S").settle();
  auto known = scan(tree).manifest.entries;
  for (auto& entry : known)
    entry.digest = sync::Digest{{7}};
  tree.message("cur/2.x:2,S", "a longer text than before, so the size differs").mtime("cur/3.x:2,S", k_long_ago);
  const auto found = scan(tree, known);
  EXPECT_TRUE(find(found, Area::cur, "1.x:2,S")->digest);
  EXPECT_FALSE(find(found, Area::cur, "2.x:2,S")->digest);
  EXPECT_FALSE(find(found, Area::cur, "3.x:2,S")->digest);
}

TEST(ScanFolder, believes_a_known_name_and_inode_without_a_stat_unless_it_is_to_look_at_everything) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S", "hello").settle();
  const auto known = scan(tree).manifest.entries;
  tree.message("cur/1.x:2,S", "hello, again").settle();
  EXPECT_EQ(find(scan(tree, known, Depth::names), Area::cur, "1.x:2,S")->size, 5u);
  EXPECT_EQ(find(scan(tree, known, Depth::full), Area::cur, "1.x:2,S")->size, 12u);
}

TEST(ScanFolder, looks_at_another_inode_of_a_known_name) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S", "hello").settle();
  const auto known = scan(tree).manifest.entries;
  tree.message("tmp/y", "hello, again").rename("tmp/y", "cur/1.x:2,S").settle();
  EXPECT_EQ(find(scan(tree, known, Depth::names), Area::cur, "1.x:2,S")->size, 12u);
}

TEST(ScanFolder, lists_hard_links_by_each_name) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S").hard_link("cur/1.x:2,S", "new/1.x").settle();
  const auto found = scan(tree);
  EXPECT_EQ(find(found, Area::cur, "1.x:2,S")->inode, find(found, Area::new_, "1.x")->inode);
}

TEST(ScanFolder, reports_special_files_and_leaves_them_out) {
  Tree tree;
  tree.maildir().fifo("cur/pipe").fifo("control-pipe").directory("cur/directory").message("cur/1.x:2,S").settle();
  const auto found = scan(tree);
  EXPECT_EQ(names(found), Names({"cur/1.x:2,S"}));
  ASSERT_EQ(found.problems.size(), 3u);
  for (const auto& problem : found.problems)
    EXPECT_EQ(problem.code, ErrorCode::special_file) << problem.path;
}

TEST(ScanFolder, mail_behind_links_and_in_mailboxes_among_messages_is_mail_that_is_left_out) {
  Tree tree;
  tree.maildir().link("/usr", ".Archive").link("/etc/passwd", "cur/l").directory("cur/box").directory("cur/box/cur");
  tree.message("cur/1.x:2,S").settle();
  const auto found = scan(tree);
  EXPECT_EQ(names(found), Names({"cur/1.x:2,S"}));
  ASSERT_EQ(found.problems.size(), 3u);
  for (const auto& problem : found.problems)
    EXPECT_EQ(problem.code, ErrorCode::mail_left_out) << problem.path;
}

TEST(ScanFolder, keeps_links_that_stay_inside) {
  Tree tree;
  tree.maildir().link("sieve/a.sieve", ".dovecot.sieve").link("../new/1.x", "cur/l").settle();
  const auto found = scan(tree);
  const Entry* entry = find(found, Area::folder, ".dovecot.sieve");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->kind, EntryKind::symlink);
  EXPECT_EQ(entry->target.text(), "sieve/a.sieve");
  EXPECT_EQ(entry->size, entry->target.text().size());
  EXPECT_NE(find(found, Area::cur, "l"), nullptr);
}

TEST(ScanFolder, reports_links_that_leave_the_account) {
  Tree tree;
  tree.maildir(".Sent")
      .link("/etc/passwd", ".Sent/absolute")
      .link("../../x", ".Sent/up")
      .link("../../../x", ".Sent/cur/up")
      .link("../ok", ".Sent/inside")
      .settle();
  const auto found = scan(tree, {}, Depth::full, ".Sent");
  EXPECT_EQ(names(found), Names({"inside"}));
  EXPECT_EQ(found.problems.size(), 3u);
}

TEST(ScanFolder, takes_a_file_or_a_link_named_cur_for_an_entry) {
  Tree tree;
  tree.file("plain/cur", "x").directory("target").link("../target", "plain/new").settle();
  const auto found = scan(tree, {}, Depth::full, "plain");
  EXPECT_FALSE(found.manifest.cur || found.manifest.new_);
  EXPECT_EQ(find(found, Area::folder, "cur")->kind, EntryKind::file);
  EXPECT_EQ(find(found, Area::folder, "new")->kind, EntryKind::symlink);
}

TEST(ScanFolder, of_a_missing_folder_says_vanished) {
  const Tree tree;
  EXPECT_EQ(scan_folder(tree.open(), ".Gone", {}, Depth::full).error().code, ErrorCode::vanished);
}

TEST(ScanFolder, does_not_go_through_a_link_to_a_folder) {
  Tree elsewhere;
  elsewhere.maildir().message("cur/secret");
  Tree tree;
  tree.link(elsewhere.path(), ".Sent");
  EXPECT_FALSE(scan_folder(tree.open(), ".Sent", {}, Depth::full));
}

TEST(ScanFolder, trusts_stamps_that_are_old_enough) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S").settle();
  const auto found = scan(tree);
  EXPECT_EQ(found.stamps.self, os::nanoseconds(tree.status("").st_mtim));
  EXPECT_EQ(found.stamps.cur, os::nanoseconds(tree.status("cur").st_mtim));
  EXPECT_EQ(found.stamps.new_, os::nanoseconds(tree.status("new").st_mtim));
}

TEST(ScanFolder, does_not_trust_a_stamp_that_a_change_to_come_could_share) {
  Tree tree;
  tree.maildir().settle();
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t later = os::nanoseconds(now) + 3'600'000'000'000;
  EXPECT_EQ(scan(tree.mtime("cur", later).mtime("new", later).mtime("", later)).stamps, Stamps());
}

TEST(ScanFolder, waits_until_a_change_to_come_cannot_share_the_stamp_of_the_last) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").settle();
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tree.mtime("cur", os::nanoseconds(now));
  const auto found = scan(tree);
  EXPECT_TRUE(found.whole);
  EXPECT_EQ(found.stamps.cur, os::nanoseconds(now)) << "it was listed within the tick, and is not to be trusted";
}

TEST(ScanFolder, trusts_the_stamps_of_each_whole_listing) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").settle();
  std::atomic<bool> stop = false;
  std::thread server([&] {
    constexpr std::int64_t k_tick = 4'000'000;
    while (!stop) {
      timespec now{};
      ::clock_gettime(CLOCK_REALTIME, &now);
      tree.mtime("cur", os::nanoseconds(now) / k_tick * k_tick + 1);  // not of a file system of whole seconds
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
       std::chrono::steady_clock::now() < end;) {
    const auto found = scan(tree);
    EXPECT_TRUE(!found.whole || found.stamps.cur != 0) << "another change may have the stamp that the listing had";
  }
  stop = true;
  server.join();
}

/// That of now, which has just begun.
std::int64_t this_second() {
  timespec now{};
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(now.tv_nsec == 0 ? 0 : 5));
    ::clock_gettime(CLOCK_REALTIME, &now);
  } while (now.tv_nsec > 400'000'000);
  return std::int64_t{now.tv_sec} * 1'000'000'000;
}

TEST(ScanFolder, trusts_no_stamp_of_whole_seconds_before_the_next_ones) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").message("cur/2.x:2,").settle();
  const auto known = scan(tree).manifest.entries;
  tree.mtime("cur", this_second());
  const auto found = scan_folder(tree.open(), "", known, Depth::names).value();
  EXPECT_TRUE(found.whole) << "two listings of the same names, and nothing known is missing";
  EXPECT_EQ(found.stamps.cur, 0);
  EXPECT_EQ(found.manifest.entries.size(), 2u);
}

TEST(ScanFolder, removes_nothing_while_the_stamp_of_whole_seconds_is_young) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").message("cur/2.x:2,").settle();
  const auto known = scan(tree).manifest.entries;
  // In this order: a file of the same inode would prove that the other one is gone.
  tree.message("cur/3.x:2,").remove("cur/2.x:2,").mtime("cur", this_second());
  const auto found = scan_folder(tree.open(), "", known, Depth::names).value();
  EXPECT_FALSE(found.whole);
  EXPECT_EQ(found.manifest.entries.size(), 3u) << "what came is there, what may have gone is still";
  EXPECT_GT(found.rests_in, 0);
  EXPECT_LT(found.rests_in, 2'100'000'000);
}

TEST(ScanFolder, removes_it_once_the_stamp_of_whole_seconds_is_old) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").message("cur/2.x:2,").settle();
  const auto known = scan(tree).manifest.entries;
  tree.remove("cur/2.x:2,").mtime("cur", this_second() - 4'000'000'000);
  const auto found = scan_folder(tree.open(), "", known, Depth::names).value();
  EXPECT_TRUE(found.whole);
  EXPECT_EQ(found.manifest.entries.size(), 1u);
  EXPECT_NE(found.stamps.cur, 0);
}

TEST(ScanFolder, reads_a_control_file_of_this_very_second_again) {
  Tree tree;
  tree.maildir().file("dovecot-keywords", "0 one\n").settle().mtime("dovecot-keywords", this_second());
  auto known = scan(tree).manifest.entries;
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].inode, 0u) << "the next look must not believe its size and time";
  known[0].digest = codec::digest("0 one\n");
  const std::int64_t stamp = known[0].mtime;
  tree.file("dovecot-keywords", "0 two\n").mtime("dovecot-keywords", stamp);
  const auto found = scan_folder(tree.open(), "", known, Depth::names).value();
  ASSERT_EQ(found.manifest.entries.size(), 1u);
  EXPECT_EQ(found.manifest.entries[0].digest, codec::digest("0 two\n"));
}

TEST(ScanFolder, removes_nothing_that_a_restless_listing_may_have_missed) {
  Tree tree;
  tree.maildir();
  for (int i = 0; i < 200; ++i)
    tree.message("cur/" + std::to_string(i) + ".x:2,");
  const auto known = scan(tree.settle()).manifest.entries;
  std::atomic<bool> stop = false;
  std::thread server([&] {
    for (int i = 0; !stop; i = (i + 1) % 200) {
      const std::string base = "cur/" + std::to_string(i) + ".x:2,";
      tree.rename(base, base + "S").rename(base + "S", base);
    }
  });
  for (int i = 0; i < 10; ++i) {
    const auto found = scan(tree, known, Depth::names);
    for (const auto& old : known) {
      const bool there = std::any_of(found.manifest.entries.begin(), found.manifest.entries.end(),
                                     [&](const Entry& entry) { return entry.inode == old.inode; });
      EXPECT_TRUE(there) << old.name << (found.whole ? " in a whole listing" : "");
    }
  }
  stop = true;
  server.join();
}

TEST(ScanNames, finds_those_that_are_there) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,S").message("cur/2.x:2,").message("new/3.x").file("dovecot-uidlist", "x").settle();
  const auto found = scan_names(
      tree.open(), "",
      {{Area::cur, "1.x:2,S"}, {Area::cur, "1.x:2,"}, {Area::new_, "3.x"}, {Area::folder, "dovecot-uidlist"}}, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(names(*found), Names({"dovecot-uidlist", "cur/1.x:2,S", "new/3.x"}));
  EXPECT_EQ(found->manifest.scope, sync::Scope::names);
  EXPECT_EQ(found->control.at("dovecot-uidlist").content, "x");
}

TEST(ScanNames, sees_both_ends_of_a_rename) {
  Tree tree;
  tree.maildir().message("cur/1.x:2,").settle();
  const auto known = scan(tree).manifest.entries;
  tree.rename("cur/1.x:2,", "cur/1.x:2,S");
  const auto found = scan_names(tree.open(), "", {{Area::cur, "1.x:2,"}, {Area::cur, "1.x:2,S"}}, known);
  ASSERT_TRUE(found);
  EXPECT_EQ(names(*found), Names({"cur/1.x:2,S"}));
  EXPECT_EQ(found->manifest.entries[0].inode, known[0].inode);
}

TEST(ScanNames, leaves_out_what_is_left_out) {
  Tree tree;
  tree.maildir().file("dovecot.index").file("cur/.nfs1");
  EXPECT_EQ(names(*scan_names(tree.open(), "", {{Area::folder, "dovecot.index"}, {Area::cur, ".nfs1"}}, {})), Names{});
}

TEST(ScanNames, of_a_directory_that_is_gone_says_vanished) {
  Tree tree;
  tree.directory("cur");
  EXPECT_EQ(scan_names(tree.open(), "", {{Area::new_, "1.x"}}, {}).error().code, ErrorCode::vanished);
  EXPECT_EQ(scan_names(tree.open(), ".Gone", {{Area::cur, "1.x"}}, {}).error().code, ErrorCode::vanished);
}

TEST(ControlChanged, is_false_while_nothing_changed) {
  Tree tree;
  tree.maildir().file("dovecot-uidlist", "x").settle();
  EXPECT_FALSE(control_changed(tree.open(), "", scan(tree).manifest.entries).value());
  EXPECT_FALSE(control_changed(tree.open(), "", {}).value());
}

TEST(ControlChanged, sees_a_control_file_that_changed_in_place_or_went) {
  Tree tree;
  tree.maildir().file("dovecot-uidlist", "x").settle();
  const auto known = scan(tree).manifest.entries;
  tree.mtime("dovecot-uidlist", k_long_ago);
  EXPECT_TRUE(control_changed(tree.open(), "", known).value());
  tree.file("dovecot-uidlist", "xy");
  EXPECT_TRUE(control_changed(tree.open(), "", known).value());
  tree.remove("dovecot-uidlist");
  EXPECT_TRUE(control_changed(tree.open(), "", known).value());
}

}  // namespace
}  // namespace maildirsync::agent
