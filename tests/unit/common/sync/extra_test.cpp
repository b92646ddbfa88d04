#include "common/sync/extra.h"

#include <gtest/gtest.h>

#include "tests/unit/common/sync/manifests.h"

namespace maildirsync::sync {
namespace {

using testing::account;
using testing::file;
using testing::folder;

std::vector<std::string> described(const std::vector<Operation>& operations) {
  std::vector<std::string> lines;
  for (const auto& operation : operations)
    lines.push_back(std::string(name_of(operation.kind)) + " " + path_of(operation.from));
  return lines;
}

using Lines = std::vector<std::string>;

TEST(RemovalsOfExtra, put_files_aside_as_they_were_listed) {
  const Entry theirs = file("new/9.other", 19);
  const auto listed = account({folder("", 1, {file("cur/1.x:2,S", 11), theirs})});
  const auto operations = removals_of_extra(listed, {{"", Area::new_, "9.other"}, {"", Area::cur, "gone"}});
  EXPECT_EQ(described(operations), Lines{"remove new/9.other"});
  EXPECT_TRUE(operations[0].to_trash);
  ASSERT_TRUE(operations[0].expected);
  EXPECT_EQ(operations[0].expected->size, theirs.size);
}

TEST(RemovalsOfExtra, put_folders_aside_with_what_is_in_them) {
  const auto listed = account({folder("", 1), folder("A", 2, {file("cur/1.x:2,", 11), file("dovecot-uidlist", 12)}),
                               folder("A/B", 3, {file("new/2.x", 13)})});
  const auto operations = removals_of_extra(listed, {{"A", Area::folder, ""}, {"A/B", Area::folder, ""}});
  EXPECT_EQ(described(operations), (Lines{"remove A/dovecot-uidlist", "remove A/cur/1.x:2,", "remove A/B/new/2.x",
                                          "remove_folder A/B", "remove_folder A"}));
  for (const auto& operation : operations)
    EXPECT_TRUE(operation.to_trash);
}

}  // namespace
}  // namespace maildirsync::sync
