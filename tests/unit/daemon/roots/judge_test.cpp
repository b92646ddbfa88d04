#include "daemon/roots/judge.h"

#include <gtest/gtest.h>

namespace maildirsync::daemon {
namespace {

const Marker k_marker{std::string(32, 'a'), 7};
const Marker k_other{std::string(32, 'b'), 7};
const KnownDirectory k_known{k_marker, "uuid:01", true};
const FoundDirectory k_found{k_marker, "uuid:01", false};

Marker with_counter(std::uint64_t counter) {
  return {k_marker.id, counter};
}

TEST(Judge, what_is_as_it_was_is_known) {
  EXPECT_EQ(judge(k_known, k_marker, k_found).verdict, Verdict::known);
  EXPECT_EQ(judge(k_known, std::nullopt, k_found).verdict, Verdict::known);
  auto found = k_found;
  found.marker->counter = 9;  // the receiver's state is the older one
  EXPECT_EQ(judge(k_known, k_marker, found).verdict, Verdict::known);
}

TEST(Judge, a_first_directory_is_taken_empty_or_not) {
  EXPECT_EQ(judge(std::nullopt, std::nullopt, {std::nullopt, "uuid:01", true}).verdict, Verdict::taken);
  EXPECT_EQ(judge(std::nullopt, std::nullopt, {std::nullopt, "uuid:01", false}).verdict, Verdict::taken);
  EXPECT_EQ(judge(std::nullopt, k_other, {std::nullopt, "uuid:01", false}).verdict, Verdict::taken);
  EXPECT_EQ(judge(std::nullopt, std::nullopt, k_found).verdict, Verdict::taken);
}

TEST(Judge, an_unmounted_one_is_held) {
  EXPECT_EQ(judge(k_known, k_marker, {std::nullopt, "uuid:02", true}).verdict, Verdict::held);
  // Also when only the agent remembers.
  EXPECT_EQ(judge(std::nullopt, k_marker, {std::nullopt, "uuid:02", true}).verdict, Verdict::held);
}

TEST(Judge, another_one_is_held) {
  EXPECT_EQ(judge(k_known, k_marker, {std::nullopt, "uuid:01", false}).verdict, Verdict::held);
  EXPECT_EQ(judge(k_known, k_marker, {k_other, "uuid:01", false}).verdict, Verdict::held);
  EXPECT_EQ(judge(k_known, k_marker, {k_marker, "uuid:02", false}).verdict, Verdict::held);
}

TEST(Judge, a_file_system_that_is_told_of_otherwise_is_not_another_one) {
  EXPECT_EQ(judge({{k_marker, "fsid:03", true}}, k_marker, k_found).verdict, Verdict::known);
  EXPECT_EQ(judge(k_known, k_marker, {k_marker, "fsid:03", false}).verdict, Verdict::held);
  EXPECT_EQ(judge({{k_marker, "", true}}, k_marker, k_found).verdict, Verdict::known);
  EXPECT_EQ(judge(k_known, k_marker, {k_marker, "", false}).verdict, Verdict::held);
}

TEST(Judge, an_emptied_one_is_held_unless_it_was_empty) {
  EXPECT_EQ(judge(k_known, k_marker, {k_marker, "uuid:01", true}).verdict, Verdict::held);
  auto known = k_known;
  known.had_accounts = false;
  EXPECT_EQ(judge(known, k_marker, {k_marker, "uuid:01", true}).verdict, Verdict::known);
}

TEST(Judge, a_snapshot_from_before_an_earlier_one_was_put_back_is_older) {
  auto known = k_known;
  known.marker = {std::string(32, 'c'), 1, k_other.id + ' ' + k_marker.id};
  EXPECT_EQ(judge(known, known.marker, k_found).verdict, Verdict::older);
  EXPECT_EQ(judge(known, known.marker, {k_marker, "uuid:02", false}).verdict, Verdict::held) << "on another disk";
  EXPECT_EQ(judge(known, known.marker, {k_marker, "uuid:01", true}).verdict, Verdict::held) << "emptied";
}

TEST(Judge, a_snapshot_is_older_than_either_memory) {
  EXPECT_EQ(judge(k_known, k_marker, {with_counter(6), "uuid:01", false}).verdict, Verdict::older);
  // The receiver's memory was put back with it, or lost.
  EXPECT_EQ(judge(k_known, with_counter(8), k_found).verdict, Verdict::older);
  EXPECT_EQ(judge(std::nullopt, with_counter(8), k_found).verdict, Verdict::older);
  // What the agent knows is of another directory.
  EXPECT_EQ(judge(k_known, Marker{k_other.id, 99}, k_found).verdict, Verdict::known);
}

}  // namespace
}  // namespace maildirsync::daemon
