#include "cli/report/format.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

using Align = Table::Align;

TEST(Table, puts_columns_below_each_other) {
  Table table({{"ACCOUNT"}, {"MESSAGES", Align::right}, {"STATE"}});
  table.add({{"anna"}, {"1,234"}, {"live"}});
  table.add({{"benedict"}, {"7"}, {""}});
  EXPECT_EQ(table.text(Colour::off),
            "ACCOUNT   MESSAGES  STATE\n"
            "anna         1,234  live\n"
            "benedict         7\n");
}

TEST(Table, gives_east_asian_names_two_columns_a_character) {
  Table table({{"FOLDER"}, {"N", Align::right}});
  table.add({{"草稿"}, {"1"}});
  table.add({{"받은편지함"}, {"22"}});
  table.add({{"Entwürfe"}, {"333"}});
  EXPECT_EQ(table.text(Colour::off),
            "FOLDER        N\n"
            "草稿          1\n"
            "받은편지함   22\n"
            "Entwürfe    333\n");
}

TEST(Table, gives_an_accent_of_its_own_no_column) {
  Table table({{"A"}, {"B"}});
  table.add({{"e\u0301"}, {"x"}});
  table.add({{"ab"}, {"y"}});
  EXPECT_EQ(table.text(Colour::off), "A   B\ne\u0301   x\nab  y\n");
}

TEST(Shortened, cuts_by_columns_and_between_characters) {
  EXPECT_EQ(shortened("Entwürfe", 8), "Entwürfe");
  EXPECT_EQ(shortened("Entwürfe", 5), "Entw…");
  EXPECT_EQ(shortened("받은편지함", 6), "받은…");
  EXPECT_EQ(shortened("받은편지함", 10), "받은편지함");
}

TEST(Shortened, takes_bytes_that_are_no_text_for_characters) {
  EXPECT_EQ(shortened("\xff\xfe\xfd", 3), "\xff\xfe\xfd");
  EXPECT_EQ(shortened("\xff\xfe\xfd", 2), "\xff…");
}

}  // namespace
}  // namespace maildirsync::cli
