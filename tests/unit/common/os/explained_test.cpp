#include "common/os/explained.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::os {
namespace {

using maildirsync::testing::Tree;

Error explain(int error_number, Side side = Side::destination, const std::string& path = "/nowhere/x") {
  return explained(os_error(path, "cannot do it", error_number), side);
}

TEST(Explained, keeps_the_words_of_the_operating_system_and_names_the_side) {
  for (const int error_number : {EPERM, EACCES, ELOOP, ENOTDIR, EISDIR, EROFS, EDQUOT, EXDEV, EMLINK, EIO, EFBIG}) {
    for (const auto& [side, words] :
         {std::pair(Side::source, "at the source"), std::pair(Side::destination, "at the destination")}) {
      const Error told = explain(error_number, side);
      EXPECT_TRUE(told.message().starts_with(os_error("/nowhere/x", "cannot do it", error_number).message() + "; "));
      const bool names_service = told.message().find("runs without") != std::string::npos;
      EXPECT_TRUE(names_service || told.message().find(words) != std::string::npos) << told.message();
      EXPECT_EQ(told.code, os_error("", "", error_number).code);
    }
  }
}

TEST(Explained, leaves_alone_what_has_no_more_to_say) {
  EXPECT_EQ(explain(ENOSPC).message(), os_error("/nowhere/x", "cannot do it", ENOSPC).message());
  const Error own{ErrorCode::conflict, "p", "somebody else's file has the name", 0};
  EXPECT_EQ(explained(own, Side::destination).message(), own.message());
}

TEST(Explained, names_the_link_that_is_in_the_way_and_not_what_lies_behind_it) {
  Tree tree;
  tree.link("/elsewhere", "domain");
  const Error told = explain(ELOOP, Side::destination, tree.path("domain/user/Maildir"));
  EXPECT_EQ(told.code, ErrorCode::in_the_way);
  EXPECT_NE(told.message().find(tree.path("domain") + " is a symbolic link at the destination"), std::string::npos)
      << told.message();
}

TEST(Explained, names_the_file_in_the_place_of_a_directory) {
  Tree tree;
  tree.file("domain");
  const Error told = explain(ENOTDIR, Side::destination, tree.path("domain/user/Maildir"));
  EXPECT_NE(told.message().find("at " + tree.path("domain") + ", a file in the place of a directory"),
            std::string::npos)
      << told.message();
}

}  // namespace
}  // namespace maildirsync::os
