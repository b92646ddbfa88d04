#include "daemon/decisions/key_holder.h"

#include <fstream>

#include <gtest/gtest.h>

#include "daemon/decisions/key_holders.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using maildirsync::testing::Tree;

Speaker process(std::uint64_t session, const Lease& lease = {}, const std::string& machine = "m") {
  return {.session = session,
          .instance = "i",
          .host = "old",
          .address = "192.0.2.1",
          .tells_place = true,
          .home = "home of " + std::to_string(session),
          .machine = machine,
          .hardware = "h",
          .lease = lease};
}

Speaker earlier_release(std::uint64_t session) {
  return {.session = session, .instance = "i", .host = "old", .address = "192.0.2.1"};
}

const KeyHolder holder{
    .who = process(1), .given = {5, "e"}, .before = {4, "d"}, .kept = true, .copies = {{"i", {3, "c"}}}};

Standing standing(const KeyHolder& known, const Speaker& speaker, bool is_here, bool was_followed = false) {
  return judge_process(known, speaker, is_here, was_followed).standing;
}

TEST(KeyHolder, whoever_comes_first_is_obeyed) {
  EXPECT_EQ(standing({}, process(2), false), Standing::obeyed);
  EXPECT_EQ(standing({}, earlier_release(2), false), Standing::obeyed);
}

TEST(KeyHolder, the_same_process_goes_on_whoever_seems_to_be_here) {
  EXPECT_EQ(standing(holder, process(1), true), Standing::obeyed);
}

TEST(KeyHolder, the_next_process_of_one_state_directory_goes_on_at_once) {
  auto next = process(2, {5, "e"});
  next.home = holder.who.home;
  EXPECT_EQ(standing(holder, next, true), Standing::obeyed);
}

TEST(KeyHolder, another_one_waits_while_the_holder_is_here) {
  for (const Lease& lease : {Lease{}, Lease{4, "d"}, Lease{5, "e"}})
    EXPECT_EQ(standing(holder, process(2, lease), true), Standing::waits);
  EXPECT_EQ(standing(holder, earlier_release(2), true), Standing::waits);
}

TEST(KeyHolder, alone_on_the_same_machine_any_state_goes_on) {
  for (const Lease& lease : {Lease{}, Lease{4, "d"}, Lease{5, "e"}, Lease{1, "?"}})
    EXPECT_EQ(standing(holder, process(2, lease), false), Standing::obeyed);
}

TEST(KeyHolder, a_copy_that_was_seen_is_refused_also_alone) {
  const auto judgement = judge_process(holder, process(2, {3, "c"}), false, false);
  EXPECT_EQ(judgement.standing, Standing::refused);
  EXPECT_EQ(judgement.why, Why::seen_beside);
}

TEST(KeyHolder, another_machine_waits_for_a_person) {
  EXPECT_EQ(standing(holder, process(2, {5, "e"}, "n"), false), Standing::refused);
  EXPECT_EQ(standing(holder, process(2, {5, "e"}, ""), false), Standing::obeyed);
}

TEST(KeyHolder, other_hardware_is_believed_with_the_newest_lease_only) {
  auto other = process(2, {5, "e"});
  other.hardware = "another";
  EXPECT_EQ(standing(holder, other, false), Standing::obeyed);
  other.lease = {4, "d"};
  EXPECT_EQ(standing(holder, other, false), Standing::refused);
  KeyHolder unkept = holder;
  unkept.kept = false;  // a crash between the receiver's write and the agent's
  EXPECT_EQ(standing(unkept, other, false), Standing::obeyed);
}

TEST(KeyHolder, a_lease_of_a_receivers_lost_state_counts) {
  EXPECT_EQ(standing(holder, process(2, {6, "of a state that is lost"}), true), Standing::obeyed);
}

TEST(KeyHolder, of_two_agents_of_an_earlier_release_the_later_one_is_obeyed) {
  KeyHolder known;
  known.who = earlier_release(1);
  EXPECT_EQ(standing(known, earlier_release(2), true), Standing::obeyed);
  EXPECT_EQ(standing(known, earlier_release(2), true, true), Standing::refused);
}

/// A receiver's state directory.
struct Known {
  Tree tree;
  std::unique_ptr<KeyHolders> holders;

  Known() {
    tree.directory("state");
    restart();
  }
  void restart() { holders = std::make_unique<KeyHolders>(tree.path() + "/state"); }
  Standing greet(const Speaker& speaker, bool is_here = false) {
    return holders->greet("sha256:1", speaker, is_here).standing;
  }
  std::uint64_t obeyed() { return holders->tenure("sha256:1")->session(); }
  Lease lease() { return holders->tenure("sha256:1")->lease(); }
  void keep() { holders->note_kept("sha256:1", obeyed(), lease()); }
};

TEST(KeyHolders, remember_the_holder_and_its_copies) {
  Known known;
  EXPECT_EQ(known.greet(process(1)), Standing::obeyed);
  known.keep();
  const Lease copied = known.lease();
  EXPECT_EQ(known.greet(process(2, copied)), Standing::obeyed);
  known.keep();
  known.holders->note_copy("sha256:1", process(3, copied));
  EXPECT_EQ(known.obeyed(), 2U);
  known.restart();
  EXPECT_EQ(known.greet(process(4, copied)), Standing::refused);
  EXPECT_EQ(known.greet(process(5, {known.lease()})), Standing::obeyed);
}

TEST(KeyHolders, a_copy_that_shows_the_holders_lease_is_known_once_the_holder_keeps_another) {
  Known known;
  known.greet(process(1));
  known.keep();
  const Lease copied = known.lease();
  known.holders->note_copy("sha256:1", process(2, copied));
  EXPECT_FALSE(known.lease() == copied);
  known.restart();
  EXPECT_EQ(known.greet(process(2, copied)), Standing::refused) << "the same process again";
  EXPECT_EQ(known.greet(process(3, copied)), Standing::obeyed)
      << "it may be the holder, restarted before it kept the other";
  known.restart();
  known.greet(process(1, copied));
  known.keep();
  known.holders->note_copy("sha256:1", process(2, copied));
  EXPECT_EQ(known.greet(process(2, copied)), Standing::refused);
}

TEST(KeyHolders, offer_a_lease_again_that_nobody_kept) {
  Known known;
  known.greet(process(1));
  known.keep();
  const Lease first = known.lease();
  known.greet(process(2, first));
  const Lease second = known.lease();
  known.restart();
  EXPECT_EQ(known.greet(process(3, first)), Standing::obeyed);
  EXPECT_EQ(known.lease(), second);
  known.keep();
  known.greet(process(4, second));
  EXPECT_EQ(known.lease().number, second.number + 1);
}

TEST(KeyHolders, a_person_exchanges_holder_and_copy) {
  Known known;
  known.greet(process(1));
  known.keep();
  const Lease first = known.lease();
  const auto clone = process(2, {}, "n");
  EXPECT_EQ(known.greet(clone), Standing::refused);
  known.holders->adopt("sha256:1", clone);
  EXPECT_EQ(known.obeyed(), 2U);
  known.keep();
  auto former = process(1, first);
  former.instance = "i";
  EXPECT_EQ(known.greet(former), Standing::refused);
  known.restart();
  EXPECT_EQ(known.greet(process(3, first)), Standing::refused);
  known.holders->adopt("sha256:1", process(3, first));
  EXPECT_EQ(known.greet(process(3, first)), Standing::obeyed);
}

TEST(KeyHolders, go_on_without_a_file_that_can_be_read) {
  Known known;
  known.greet(process(1));
  std::ofstream(known.tree.path() + "/state/holder-1") << "{\"session\": \"nonsense\"}";
  known.restart();
  EXPECT_EQ(known.greet(process(2, {}, "n")), Standing::obeyed);
}

}  // namespace
}  // namespace maildirsync::daemon
