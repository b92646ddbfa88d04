#include "agent/accounts/overlap.h"

#include <gtest/gtest.h>

namespace maildirsync::agent {
namespace {

using Where = MetMarker::Where;

MetMarker met(const std::string& id, Where where = Where::here, const std::string& directory = "/mail") {
  return {.where = where, .directory = directory, .id = id, .inode = 7, .changed = 70};
}

/// A root whose destination has that marker, and at whose source these are.
Overlap overlap(const std::string& id, std::vector<MetMarker> markers) {
  return {.id = id, .inode = 7, .changed = 70, .met = std::move(markers)};
}

std::string reason(const Overlap& only) {
  return reason_of_overlap({{"vhosts", "/mail", &only}}, 0);
}

TEST(Overlap, of_no_marker_is_none) {
  EXPECT_EQ(reason(overlap("a", {})), "");
}

TEST(Overlap, of_another_directorys_marker_is_none) {
  EXPECT_EQ(reason(overlap("a", {met("b"), met("c", Where::above, "/")})), "");
}

TEST(Overlap, is_told_by_where_the_own_marker_was_met) {
  EXPECT_NE(reason(overlap("a", {met("a")})).find("the source /mail is itself the directory"), std::string::npos);
  EXPECT_NE(reason(overlap("a", {met("a", Where::below, "/mail/x")})).find("in the source /mail, at /mail/x,"),
            std::string::npos);
  EXPECT_NE(reason(overlap("a", {met("a", Where::above, "/")})).find("the source /mail lies in /,"), std::string::npos);
}

TEST(Overlap, by_a_marker_that_cannot_be_read_is_told_by_its_file) {
  EXPECT_NE(reason(overlap("a", {met("")})), "");
  MetMarker younger = met("");
  ++younger.changed;
  EXPECT_EQ(reason(overlap("a", {younger})), "");
  MetMarker another = met("");
  ++another.inode;
  EXPECT_EQ(reason(overlap("a", {another})), "");
}

TEST(Overlap, of_a_receiver_that_tells_no_marker_is_none) {
  Overlap untold = overlap("", {met("")});
  untold.inode = 0;
  untold.met.front().inode = 0;
  EXPECT_EQ(reason(untold), "");
}

TEST(Overlap, of_roots_in_a_row_is_none_and_in_a_circle_each_is_one) {
  const Overlap first = overlap("1", {}), second = overlap("2", {met("1")}), third = overlap("3", {met("2")});
  const std::vector<RootPlaces> row{{"first", "/1", &first}, {"second", "/2", &second}, {"third", "/3", &third}};
  for (std::size_t i = 0; i < row.size(); ++i)
    EXPECT_EQ(reason_of_overlap(row, i), "") << i;

  const Overlap closing = overlap("1", {met("3")});
  const std::vector<RootPlaces> circle{{"first", "/1", &closing}, {"second", "/2", &second}, {"third", "/3", &third}};
  for (std::size_t i = 0; i < circle.size(); ++i)
    EXPECT_NE(reason_of_overlap(circle, i).find("circle"), std::string::npos) << i;
}

}  // namespace
}  // namespace maildirsync::agent
