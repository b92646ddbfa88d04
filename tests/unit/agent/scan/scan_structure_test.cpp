#include <algorithm>

#include <gtest/gtest.h>
#include <sys/fsuid.h>

#include "agent/scan/structure.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using Lines = std::vector<std::string>;

StructureScan scan(const Tree& tree, const std::string& account = "a", Lines* visited = nullptr) {
  return scan_structure(tree.open(), account, [&](const os::Directory&, const std::string& folder, Part part) {
    constexpr std::string_view k_letters = "rfcnt";
    if (visited != nullptr) visited->push_back(folder + " " + k_letters[static_cast<std::size_t>(part)]);
  });
}

Lines paths(const StructureScan& scan) {
  Lines all;
  for (const auto& folder : scan.manifest.folders)
    all.push_back(folder.path);
  return all;
}

TEST(ScanStructure, finds_nested_and_maildir_folders_and_plain_directories) {
  Tree tree;
  tree.maildir("a")
      .maildir("a/.Sent")
      .maildir("a/Archive/2024")
      .directory("a/sieve")
      .directory("a/courierimapkeywords");
  const auto found = scan(tree);
  EXPECT_EQ(paths(found), Lines({"", ".Sent", "Archive", "Archive/2024", "courierimapkeywords", "sieve"}));
  EXPECT_TRUE(found.manifest.structure_whole);
  EXPECT_TRUE(found.manifest.exists);
  EXPECT_TRUE(found.manifest.find(".Sent")->cur);
  EXPECT_FALSE(found.manifest.find("Archive")->cur);
  EXPECT_EQ(found.manifest.find("sieve")->inode, tree.status("a/sieve").st_ino);
}

TEST(ScanStructure, leaves_search_indexes_to_the_server_that_makes_them) {
  Tree tree;
  tree.maildir("a").maildir("a/.Sent");
  tree.file("a/xapian-indexes/db/glass").file("a/.Sent/fts-flatcurve/index.1/glass").file("a/lucene-indexes/segments");
  EXPECT_EQ(paths(scan(tree)), Lines({"", ".Sent"}));
  tree.maildir("a/lucene-indexes");  // a mailbox that a user called so
  EXPECT_EQ(paths(scan(tree)), Lines({"", ".Sent", "lucene-indexes"}));
}

TEST(ScanStructure, tells_of_mail_in_other_formats_and_leaves_dbox_alone) {
  struct Row {
    const char* what;
    std::vector<const char*> files;
    const char* path;  // of the problem; "" for none
    Lines folders;
  };
  const std::vector<Row> rows{
      {"mdbox", {"storage/m.1", "mailboxes/INBOX/dbox-Mails/dovecot.index.log", "subscriptions"}, "mailboxes", {""}},
      {"mdbox in a home", {"mdbox/storage/dovecot.map.index.log"}, "mdbox/storage", {"", "mdbox"}},
      {"sdbox", {"mailboxes/INBOX/dbox-Mails/u.1"}, "mailboxes", {""}},
      {"sdbox, nested", {"mailboxes/Work/2024/dbox-Mails/u.1"}, "mailboxes", {""}},
      {"an mbox", {"mbox"}, "mbox", {""}},
      {"an mbox in mail/", {"mail/Sent"}, "mail/Sent", {"", "mail"}},
      {"directories with such names", {"storage/photo.jpg", "mailboxes/list.txt"}, "", {"", "mailboxes", "storage"}},
      {"a note", {"note.txt"}, "", {""}},
  };
  for (const auto& row : rows) {
    Tree tree;
    for (const std::string file : row.files) {
      const bool is_mbox = file == "mbox" || file == "mail/Sent";
      tree.file("a/" + file, is_mbox ? "From a@example.org Thu Jan  1 00:00:00 2026\n\nx\n" : "From\n");
    }
    const auto found = scan(tree);
    EXPECT_EQ(paths(found), row.folders) << row.what;
    EXPECT_EQ(found.problems.empty() ? "" : found.problems[0].path, row.path) << row.what;
    for (const auto& problem : found.problems)
      EXPECT_EQ(problem.code, ErrorCode::mail_left_out) << row.what;
  }
}

TEST(ScanStructure, an_mbox_beside_a_maildir_is_a_file) {
  Tree tree;
  tree.maildir("a").file("a/mbox", "From a@example.org Thu Jan  1 00:00:00 2026\n\nx\n");
  EXPECT_TRUE(scan(tree).problems.empty());
}

TEST(ScanStructure, has_the_modes_and_stamps_of_each_directory) {
  Tree tree;
  tree.maildir("a").mode("a", 0750).mode("a/cur", 0770).mode("a/tmp", 0700).settle();
  const auto found = scan(tree);
  const auto& folder = found.manifest.folders.at(0);
  EXPECT_EQ(folder.self.mode, 0750u);
  EXPECT_EQ(folder.cur->mode, 0770u);
  EXPECT_EQ(folder.tmp->mode, 0700u);
  EXPECT_EQ(found.stamps.at("").cur, os::nanoseconds(tree.status("a/cur").st_mtim));
}

TEST(ScanStructure, visits_each_directory_before_it_is_listed) {
  Tree tree;
  tree.maildir("a").maildir("a/.Sent");
  Lines visited;
  scan(tree, "a", &visited);
  EXPECT_EQ(visited.front(), " f");
  std::sort(visited.begin(), visited.end());
  EXPECT_EQ(visited, Lines({" c", " f", " n", " t", ".Sent c", ".Sent f", ".Sent n", ".Sent t"}));
}

TEST(ScanStructure, finds_a_folder_that_came_while_its_parent_was_visited) {
  Tree tree;
  tree.maildir("a");
  const auto found = scan_structure(tree.open(), "a", [&](const os::Directory&, const std::string& folder, Part part) {
    if (folder.empty() && part == Part::folder) tree.maildir("a/.New");
  });
  EXPECT_EQ(paths(found), Lines({"", ".New"}));
}

TEST(ScanStructure, follows_no_link) {
  Tree tree;
  tree.maildir("a").maildir("b").link("../b", "a/.Shared").link(".", "a/loop").link("../b/cur", "a/x");
  EXPECT_EQ(paths(scan(tree)), Lines({""}));
}

TEST(ScanStructure, of_a_missing_account_says_so) {
  Tree tree;
  tree.file("file");
  EXPECT_FALSE(scan(tree).manifest.exists);
  EXPECT_FALSE(scan(tree, "file").manifest.exists);
}

TEST(ScanStructure, an_account_behind_a_link_is_not_whole_rather_than_gone) {
  Tree tree;
  tree.maildir("b").link("b", "a");
  const auto found = scan(tree);
  EXPECT_TRUE(found.manifest.exists);
  EXPECT_FALSE(found.manifest.structure_whole);
  EXPECT_EQ(found.problems.size(), 1u);
}

TEST(ScanStructure, a_directory_that_cannot_be_read_is_there_all_the_same) {
  Tree tree;
  tree.maildir("a").message("a/cur/1.x").mode("", 0755).mode("a", 0755).mode("a/cur", 0);
  const int user = ::setfsuid(65534);  // root may read all
  const auto found = scan(tree);
  ::setfsuid(static_cast<uid_t>(user));
  EXPECT_FALSE(found.manifest.structure_whole);
  ASSERT_EQ(found.manifest.folders.size(), 1u);
  EXPECT_TRUE(found.manifest.folders[0].cur);
  EXPECT_TRUE(found.manifest.folders[0].new_);
  EXPECT_EQ(found.stamps.at("").cur, 0);
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_EQ(found.problems[0].code, ErrorCode::permission);
  EXPECT_EQ(found.problems[0].path, "cur");
}

TEST(ScanStructure, folders_nested_too_deep_are_a_problem_and_not_whole) {
  Tree tree;
  std::string path = "a";
  for (int i = 0; i < 80; ++i)
    path += "/d";
  tree.directory(path);
  const auto found = scan(tree);
  EXPECT_FALSE(found.manifest.structure_whole);
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_EQ(found.problems[0].code, ErrorCode::too_big);
}

TEST(ScanStructure, a_folder_that_vanishes_meanwhile_leaves_the_rest) {
  Tree tree;
  tree.maildir("a").maildir("a/.One").maildir("a/.Two");
  const auto found = scan_structure(tree.open(), "a", [&](const os::Directory&, const std::string& folder, Part part) {
    if (folder == ".One" && part == Part::folder) tree.remove("a/.Two");
    if (folder == ".Two" && part == Part::folder) tree.remove("a/.One");
  });
  EXPECT_GE(found.manifest.folders.size(), 2u);
  EXPECT_FALSE(found.manifest.structure_whole);
  EXPECT_TRUE(found.problems.empty());
}

}  // namespace
}  // namespace maildirsync::agent
