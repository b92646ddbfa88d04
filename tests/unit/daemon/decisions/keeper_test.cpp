#include "daemon/decisions/keeper.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/decisions/file.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using decisions::Chain;
using decisions::Decision;
using decisions::Word;
using maildirsync::testing::Tree;

const Decision mirror_1{1, Word::mirror, "a", "2026-11-28T09:00:00Z", "agent.toml", 0};
const Decision drain_2{2, Word::drain, "b", "2026-11-28T10:00:00Z", "drain", 0};
const Decision other_drain_2{2, Word::drain, "x", "2026-11-28T10:00:00Z", "drain", 0};
const Decision mirror_3{3, Word::mirror, "c", "2026-11-28T11:00:00Z", "mirror", 0};
const Chain mirrored{mirror_1}, drained{mirror_1, drain_2}, mirrored_again{mirror_1, drain_2, mirror_3};

const sync::Operation put{.kind = sync::OperationKind::put, .to = {"", sync::Area::new_, "1.x"}};
const sync::Operation make{.kind = sync::OperationKind::make_folder, .to = {"", sync::Area::folder, ""}};
const sync::Operation remove_one{.kind = sync::OperationKind::remove, .from = {"", sync::Area::cur, "1.x"}};
const sync::Operation control{.kind = sync::OperationKind::put_control,
                              .to = {"", sync::Area::folder, "dovecot-uidlist"}};

/// A receiver's state directory and a root, and an agent that greets.
struct Place {
  Tree tree;
  std::unique_ptr<DecisionKeeper> keeper;

  Place() {
    tree.directory("state").directory("root").file("root/.maildirsync.root");
    restart();
  }
  void restart() { keeper = DecisionKeeper::open(path("state")).value(); }
  std::string path(const std::string& name) const { return os::join(tree.path(), name); }

  DecisionKeeper::Agent agent(const std::string& fingerprint, const Chain& knows, std::uint64_t run = 1,
                              std::uint64_t session = 1) const {
    return {.fingerprint = fingerprint,
            .places = {{"vhosts", path("root")}},
            .keeps_decisions = true,
            .run = run,
            .session = session,
            .roots = {{"vhosts", knows}},
            .pause = {}};
  }
  Chain greeted(const Chain& knows) { return keeper->greet(agent("sha256:1", knows)).roots.at("vhosts").chain; }
  bool admits(const Chain& by, const sync::Operation& operation) const {
    const auto fence = keeper->fence("sha256:1", "vhosts");
    const auto within = fence->enter();
    return !fence->refusal(decisions::token_of(by), operation);
  }
};

TEST(DecisionKeeper, believes_no_copy_that_others_put_into_the_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  Place place;
  EXPECT_EQ(place.greeted(mirrored), mirrored);
  const std::string copy = place.path("root/.maildirsync.decisions");
  ASSERT_TRUE(decisions::write_book(copy, {.agent = "sha256:1", .roots = {{"vhosts", drained}}}));
  ASSERT_EQ(::chown(copy.c_str(), 5000, 5000), 0);
  EXPECT_EQ(place.greeted(mirrored), mirrored);
  ASSERT_EQ(::unlink(copy.c_str()), 0);
  ASSERT_EQ(::mkfifo(copy.c_str(), 0666), 0);
  ASSERT_EQ(::mkfifo((copy + ".new").c_str(), 0666), 0);
  EXPECT_EQ(place.greeted(mirrored), mirrored);
  EXPECT_EQ(place.greeted(drained), drained);
  std::filesystem::remove_all(place.path("state"));
  place.tree.directory("state");
  place.restart();
  EXPECT_EQ(place.greeted(mirrored), drained) << "the copy is its own again";
}

TEST(DecisionKeeper, keeps_the_newer_word_and_says_so) {
  Place place;
  EXPECT_EQ(place.greeted({}), Chain());
  EXPECT_EQ(place.greeted(mirrored), mirrored);
  EXPECT_EQ(place.greeted(drained), drained);
  EXPECT_EQ(place.greeted(mirrored), drained);
  EXPECT_EQ(place.greeted({}), drained);
  place.restart();
  EXPECT_EQ(place.greeted({}), drained);
  EXPECT_EQ(place.greeted(mirrored_again), mirrored_again);
}

TEST(DecisionKeeper, the_copy_in_the_root_outlives_the_state_directory) {
  Place place;
  place.greeted(drained);
  std::filesystem::remove_all(place.path("state"));
  place.tree.directory("state");
  place.restart();
  EXPECT_EQ(place.greeted({}), drained);
  EXPECT_EQ(place.greeted(mirrored), drained);
}

TEST(DecisionKeeper, a_damaged_file_is_put_aside_and_the_copy_counts) {
  Place place;
  place.greeted(drained);
  place.keeper.reset();
  for (const auto& entry : std::filesystem::directory_iterator(place.path("state")))
    std::filesystem::resize_file(entry.path(), 40);
  place.restart();
  EXPECT_EQ(place.greeted({}), drained);
}

TEST(DecisionKeeper, an_older_copy_of_the_state_directory_does_not_count) {
  Place place;
  place.greeted(mirrored);
  std::filesystem::copy(place.path("state"), place.path("older"), std::filesystem::copy_options::recursive);
  place.greeted(drained);
  std::filesystem::remove_all(place.path("state"));
  std::filesystem::rename(place.path("older"), place.path("state"));
  place.restart();
  EXPECT_EQ(place.greeted({}), drained);
}

TEST(DecisionKeeper, a_word_that_contradicts_changes_nothing) {
  Place place;
  place.greeted(drained);
  EXPECT_EQ(place.greeted({mirror_1, {2, Word::mirror, "y", "2026-11-28T10:00:00Z", "mirror", 0}}), drained);
  EXPECT_FALSE(place.admits({{2, Word::mirror, "y", "", "", 0}}, put));
}

TEST(DecisionKeeper, the_fence_takes_from_a_drained_root_nothing_but_new_mail) {
  Place place;
  place.greeted(mirrored);
  for (const auto& operation : {put, make, remove_one, control})
    EXPECT_TRUE(place.admits(mirrored, operation));
  place.greeted(drained);
  for (const auto& operation : {put, make, remove_one, control})
    EXPECT_FALSE(place.admits(mirrored, operation));
  EXPECT_TRUE(place.admits(drained, put));
  EXPECT_TRUE(place.admits(drained, make));
  EXPECT_FALSE(place.admits(drained, remove_one));
  EXPECT_FALSE(place.admits(drained, control));
  sync::Operation replaces = put;
  replaces.expected.emplace();
  EXPECT_FALSE(place.admits(drained, replaces));
  // Nor from one that names no decision, of an earlier release.
  EXPECT_TRUE(place.admits({}, put));
  EXPECT_FALSE(place.admits({}, remove_one));
  place.restart();
  EXPECT_FALSE(place.admits(mirrored, put));
  place.greeted(mirrored_again);
  EXPECT_TRUE(place.admits(mirrored_again, remove_one));
  EXPECT_FALSE(place.admits(drained, put));
}

TEST(DecisionKeeper, another_agent_waits_until_it_adopts_the_root) {
  Place place;
  place.greeted(drained);
  place.tree.file("root/.maildirsync.given");
  const auto other = place.agent("sha256:2", {}, 1, 7);
  auto known = place.keeper->greet(other).roots.at("vhosts");
  ASSERT_TRUE(known.held);
  EXPECT_EQ(known.held->code, ErrorCode::foreign_agent);
  EXPECT_NE(known.held->detail.find("sha256:1"), std::string::npos);
  EXPECT_EQ(known.chain, drained);
  const auto said = decisions::say({}, known.chain, {0, Word::drain, "n", "2026-11-28T12:00:00Z", "drain --adopt", 0});
  EXPECT_TRUE(place.keeper->decide(other, "vhosts", said, false).held);
  EXPECT_FALSE(place.keeper->decide(other, "vhosts", said, true).held);
  EXPECT_FALSE(place.keeper->greet(place.agent("sha256:2", said, 1, 7)).roots.at("vhosts").held);
  // And the first one is foreign now, also without the state directory's word.
  EXPECT_TRUE(place.keeper->greet(place.agent("sha256:1", drained)).roots.at("vhosts").held);
  EXPECT_FALSE(place.admits(drained, put));
  std::filesystem::remove_all(place.path("state"));
  place.tree.directory("state");
  place.restart();
  EXPECT_TRUE(place.keeper->greet(place.agent("sha256:1", drained)).roots.at("vhosts").held);
}

/// The same root and directory under another name.
DecisionKeeper::Known greeted_as(const Place& place, const std::string& name, const Chain& knows) {
  auto agent = place.agent("sha256:1", {});
  agent.places = {{name, place.path("root")}};
  agent.roots = {{name, knows}};
  return place.keeper->greet(agent).roots.at(name);
}

TEST(DecisionKeeper, a_drained_root_under_another_name_waits_until_it_is_said_anew) {
  for (const bool is_state_lost : {false, true}) {
    Place place;
    place.greeted(drained);
    if (is_state_lost) {
      std::filesystem::remove_all(place.path("state"));
      place.tree.directory("state");
      place.restart();
    }
    for (const Chain& configured : {Chain(), mirrored}) {
      const auto known = greeted_as(place, "mail", configured);
      ASSERT_TRUE(known.held);
      EXPECT_EQ(known.held->code, ErrorCode::decisions_lost);
      EXPECT_NE(known.held->detail.find("\"vhosts\""), std::string::npos);
      EXPECT_EQ(known.chain, drained);
      const auto fence = place.keeper->fence("sha256:1", "mail");
      const auto within = fence->enter();
      EXPECT_TRUE(fence->refusal(decisions::token_of(configured), put));
    }
    const auto said = decisions::say({}, drained, {0, Word::drain, "n", "2026-11-28T12:00:00Z", "drain", 0});
    EXPECT_FALSE(greeted_as(place, "mail", said).held);
    EXPECT_EQ(greeted_as(place, "mail", {}).chain, said);
    // And the other way round: what the first name stood for is older now.
    const auto back = place.keeper->greet(place.agent("sha256:1", drained)).roots.at("vhosts");
    ASSERT_TRUE(back.held);
    EXPECT_EQ(back.chain, said);
  }
}

TEST(DecisionKeeper, a_root_that_was_never_drained_may_be_renamed) {
  Place place;
  place.greeted(mirrored);
  EXPECT_FALSE(greeted_as(place, "mail", {}).held);
  EXPECT_FALSE(greeted_as(place, "mail", drained).held);
  EXPECT_TRUE(place.keeper->greet(place.agent("sha256:1", mirrored)).roots.at("vhosts").held);
}

TEST(DecisionKeeper, of_two_roots_that_exchange_their_names_neither_is_mirrored_where_one_was_drained) {
  Place place;
  place.tree.directory("other").file("other/.maildirsync.root");
  auto agent = place.agent("sha256:1", drained);
  agent.places["mail"] = place.path("other");
  agent.roots["mail"] = mirrored;
  for (const auto& [name, known] : place.keeper->greet(agent).roots)
    EXPECT_FALSE(known.held) << name;
  std::swap(agent.places["mail"], agent.places["vhosts"]);
  const auto known = place.keeper->greet(agent).roots;
  EXPECT_TRUE(known.at("mail").held);
  EXPECT_EQ(known.at("vhosts").chain, drained);
}

TEST(DecisionKeeper, where_others_land_too_a_new_root_is_new) {
  Place place;
  auto agent = place.agent("sha256:1", drained);
  agent.places["mail"] = place.path("root");
  agent.shared = {"mail", "vhosts"};
  EXPECT_FALSE(place.keeper->greet(agent).roots.at("mail").held);
  EXPECT_FALSE(place.keeper->greet(agent).roots.at("mail").held);
  agent.places = {{"post", place.path("root")}};
  agent.shared = {"post"};
  EXPECT_TRUE(place.keeper->greet(agent).roots.at("post").held) << "vhosts is not configured any more";
}

TEST(DecisionKeeper, where_users_were_given_mail_and_nobody_knows_why_a_person_is_asked) {
  Place place;
  place.tree.file("root/.maildirsync.given");
  const auto known = greeted_as(place, "mail", {});
  ASSERT_TRUE(known.held);
  EXPECT_EQ(known.held->code, ErrorCode::decisions_lost);
  EXPECT_FALSE(greeted_as(place, "mail", {{1, Word::drain, "n", "2026-11-28T12:00:00Z", "drain", 0}}).held);
  EXPECT_FALSE(greeted_as(place, "mail", {}).held);
}

TEST(DecisionKeeper, an_older_copy_of_an_agents_state_is_known_by_its_run) {
  Place place;
  EXPECT_FALSE(place.keeper->greet(place.agent("sha256:1", mirrored, 1, 11)).older_state);
  EXPECT_FALSE(place.keeper->greet(place.agent("sha256:1", mirrored, 1, 11)).older_state);
  EXPECT_FALSE(place.keeper->greet(place.agent("sha256:1", mirrored, 2, 12)).older_state);
  const auto again = place.keeper->greet(place.agent("sha256:1", mirrored, 2, 13));
  EXPECT_TRUE(again.older_state);
  EXPECT_EQ(again.run, 3U);
  EXPECT_TRUE(place.keeper->greet(place.agent("sha256:1", mirrored, 2, 13)).older_state);
  EXPECT_FALSE(place.keeper->greet(place.agent("sha256:1", mirrored, 4, 14)).older_state);
}

TEST(DecisionKeeper, of_two_agents_with_one_key_the_earlier_one_waits) {
  Place place;
  place.greeted(mirrored);
  place.keeper->greet(place.agent("sha256:1", mirrored, 2, 2));
  const auto known = place.keeper->greet(place.agent("sha256:1", mirrored, 1, 1)).roots.at("vhosts");
  ASSERT_TRUE(known.held);
  EXPECT_EQ(known.held->code, ErrorCode::foreign_agent);
}

TEST(DecisionKeeper, the_pause_is_kept_too) {
  Place place;
  auto agent = place.agent("sha256:1", mirrored);
  const Chain paused{{1, Word::pause, "p", "2026-11-28T09:00:00Z", "pause", 0}};
  place.keeper->decide(agent, "", paused, false);
  place.restart();
  EXPECT_EQ(place.keeper->greet(agent).pause, paused);
}

}  // namespace
}  // namespace maildirsync::daemon
