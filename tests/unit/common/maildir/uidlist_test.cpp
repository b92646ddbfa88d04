#include "common/maildir/uidlist.h"

#include <gtest/gtest.h>

namespace maildirsync::maildir {
namespace {

constexpr const char* k_list = "3 V1700000000 N5 Gabc\n1 :1.x,S=10\n3 W12 P<a b> :3.x:y\n4 :4.x\n";

Uidlist list(const std::string& text) {
  return parse_uidlist(text).value();
}

TEST(UidlistText, is_read_and_written_as_it_was) {
  const auto read = list(k_list);
  EXPECT_EQ(read.validity, 1'700'000'000U);
  EXPECT_EQ(read.next, 5U);
  EXPECT_EQ(name_in_line(read.lines.at(1)), "1.x,S=10");
  EXPECT_EQ(name_in_line(read.lines.at(3)), "3.x:y");
  EXPECT_EQ(format_uidlist(read), k_list);
}

TEST(UidlistText, of_appended_lines_says_what_comes_next_and_half_a_line_is_none) {
  const auto read = list("3 V1 N2 G0\n1 :1.x\n7 :7.x\n8 :8");
  EXPECT_EQ(read.next, 8U);
  EXPECT_EQ(read.lines.size(), 2U);
}

TEST(UidlistText, of_another_kind_is_none) {
  for (const auto* text : {"", "1 1700000000 5\n1 1.x\n", "3 V1 N2 G0", "3 N2\n", "3 V1\n", "3 Vx N1\n", "nonsense\n"})
    EXPECT_FALSE(parse_uidlist(text)) << text;
}

TEST(Reunion, gives_a_message_the_uid_that_it_had) {
  const auto reunion =
      reunite(list("3 V1 N9 G0\n2 :2.x\n8 :8.x\n"), {list("3 V1 N5 G0\n1 :1.x\n2 :2.x\n4 :4.x\n")}, {"1.x", "4.x"});
  EXPECT_EQ(format_uidlist(reunion.list), "3 V1 N9 G0\n1 :1.x\n2 :2.x\n4 :4.x\n8 :8.x\n");
  EXPECT_EQ(reunion.found, (std::set<std::string>{"1.x", "4.x"}));
}

TEST(Reunion, takes_no_uid_from_another_message_and_none_of_another_validity) {
  const auto now = list("3 V1 N9 G0\n1 :new.x\n");
  EXPECT_EQ(format_uidlist(reunite(now, {list("3 V1 N5 G0\n1 :1.x\n")}, {"1.x"}).list), format_uidlist(now));
  EXPECT_EQ(reunite(now, {list("3 V7 N5 G0\n3 :1.x\n")}, {"1.x"}).found, std::set<std::string>{});
}

TEST(Reunion, asks_the_newest_version_first_and_never_gives_a_uid_twice) {
  const auto reunion =
      reunite(list("3 V1 N3 G0\n"), {list("3 V1 N7 G0\n6 :1.x\n"), list("3 V1 N5 G0\n2 :1.x\n")}, {"1.x"});
  EXPECT_EQ(format_uidlist(reunion.list), "3 V1 N7 G0\n6 :1.x\n");
}

TEST(Reunion, without_a_list_goes_on_with_the_newest_that_is_known) {
  const auto reunion = reunite(std::nullopt, {list("3 V2 N5 G0\n1 :1.x\n4 :4.x\n")}, {"1.x"});
  EXPECT_EQ(format_uidlist(reunion.list), "3 V2 N5 G0\n1 :1.x\n4 :4.x\n");
  EXPECT_EQ(reunion.found, std::set<std::string>{"1.x"});
  EXPECT_TRUE(reunite(std::nullopt, {}, {"1.x"}).found.empty());
}

}  // namespace
}  // namespace maildirsync::maildir
