#include "cli/report/html.h"

#include <gtest/gtest.h>

namespace maildirsync::cli {
namespace {

TEST(Html, no_markup_comes_out_of_a_cell) {
  const std::string table = html_table("A & B", {{"name", Cells::text}}, {{"</td><script>'\"&"}});
  EXPECT_NE(table.find("<h2>A &amp; B</h2>"), std::string::npos);
  EXPECT_NE(table.find(">&lt;/td&gt;&lt;script&gt;&#39;&quot;&amp;</td>"), std::string::npos);
}

TEST(Html, a_table_without_rows_is_not_shown) {
  EXPECT_EQ(html_table("Left out", {{"name"}}, {}), "");
}

TEST(Html, names_of_folders_stay_as_they_are) {
  EXPECT_NE(html_table("", {{"folder"}}, {{".Entw\xc3\xbcrfe"}}).find(">.Entw\xc3\xbcrfe<"), std::string::npos);
}

}  // namespace
}  // namespace maildirsync::cli
