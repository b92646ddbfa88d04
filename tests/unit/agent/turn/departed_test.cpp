#include "agent/turn/departed.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using sync::AccountManifest;
using sync::Area;
using sync::Entry;
using sync::FolderManifest;

Entry message(const std::string& name, std::uint64_t inode, Area area = Area::cur) {
  Entry entry;
  entry.area = area;
  entry.name = name;
  entry.inode = inode;
  entry.size = 10;
  entry.mtime = 1000;
  return entry;
}

FolderManifest folder(const std::string& path, std::vector<Entry> entries) {
  FolderManifest made;
  made.path = path;
  made.cur = made.new_ = sync::Attributes{};
  made.entries = std::move(entries);
  return made;
}

AccountManifest account(std::vector<FolderManifest> folders) {
  AccountManifest made;
  made.structure_whole = true;
  made.folders = std::move(folders);
  return made;
}

std::vector<std::string> names(const std::vector<sync::Intent>& messages) {
  std::vector<std::string> found;
  for (const auto& one : messages)
    found.push_back(sync::path_of(one.to));
  return found;
}

using Names = std::vector<std::string>;

TEST(Departed, are_messages_that_went_with_their_folder_out_of_sight) {
  const auto known =
      account({folder("", {message("1.x:2,", 1)}), folder(".Sent", {message("2.x:2,", 2), message("3.x:2,", 3)})});
  const auto after = account({folder("", {}), folder(".Sent", {message("3.x:2,S", 3)})});
  const auto gone = departed(known, account({folder("", {message("1.x:2,", 0)})}), after, {});
  EXPECT_EQ(names(gone), Names({".Sent/cur/2.x:2,"}));
}

TEST(Departed, are_those_of_a_folder_whose_volume_is_not_mounted) {
  const auto known = account({folder(".Sent", {message("2.x:2,", 2)})});
  auto mount_point = folder(".Sent", {});
  mount_point.cur.reset();
  EXPECT_EQ(names(departed(known, account({mount_point}), account({folder(".Sent", {})}), {})),
            Names({".Sent/cur/2.x:2,"}));
}

TEST(Departed, are_not_those_that_were_moved_to_another_folder) {
  const auto known = account({folder(".Sent", {message("2.x:2,", 2)})});
  const auto after = account({folder("", {message("other-name", 2)}), folder(".Sent", {})});
  EXPECT_EQ(names(departed(known, account({}), after, {})), Names());
}

TEST(Departed, are_remembered_until_they_are_seen) {
  const auto known = account({folder(".Sent", {message("2.x:2,", 2)})});
  const auto after = account({folder(".Sent", {})});
  auto gone = departed(known, account({}), after, {});
  // The folder was made anew behind the mount point.
  gone = departed(account({folder(".Sent", {})}), account({folder(".Sent", {})}), after, gone);
  ASSERT_EQ(names(gone), Names({".Sent/cur/2.x:2,"}));
  auto another = message("2.x:2,", 0);
  another.mtime = 2000;
  EXPECT_EQ(names(departed({}, account({folder(".Sent", {another})}), after, gone)), Names({".Sent/cur/2.x:2,"}));
  EXPECT_EQ(names(departed({}, account({folder(".Sent", {message("2.x:2,", 0)})}), after, gone)), Names());
}

TEST(Departed, are_bounded) {
  std::vector<Entry> many;
  for (std::size_t i = 0; i < k_most_departed + 5; ++i)
    many.push_back(message(std::to_string(i), i + 1));
  const auto gone = departed(account({folder(".Sent", many)}), account({}), account({}), {});
  EXPECT_EQ(gone.size(), k_most_departed);
  EXPECT_EQ(gone.back().to.name, std::to_string(k_most_departed + 4));
}

}  // namespace
}  // namespace maildirsync::agent
