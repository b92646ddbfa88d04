#include "common/decisions/settle.h"

#include <optional>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace maildirsync::decisions {

namespace {

Chain chain(std::initializer_list<Decision> decisions) {
  return decisions;
}

Decision said(std::uint64_t number, Word word, std::string id) {
  return {number, word, std::move(id), "2026-11-28T09:00:00Z", "test", 0};
}

const Decision mirror_1 = said(1, Word::mirror, "a");
const Decision drain_2 = said(2, Word::drain, "b");
const Decision mirror_3 = said(3, Word::mirror, "c");
const Decision other_drain_2 = said(2, Word::drain, "x");
const Decision other_mirror_2 = said(2, Word::mirror, "y");

}  // namespace

TEST(Settle, the_newer_word_counts_whichever_side_has_it) {
  const Chain older = chain({mirror_1}), newer = chain({mirror_1, drain_2});
  EXPECT_EQ(next_of_agent(newer, newer, true), Next::go_on);
  EXPECT_EQ(next_of_agent(older, newer, true), Next::adopt);
  EXPECT_EQ(next_of_agent({}, newer, true), Next::adopt);
  EXPECT_EQ(next_of_agent(newer, older, true), Next::tell);
  EXPECT_EQ(next_of_agent(newer, {}, true), Next::tell);
  EXPECT_EQ(kept_by_receiver(older, newer), newer);
  EXPECT_EQ(kept_by_receiver(newer, older), newer);
  EXPECT_EQ(kept_by_receiver(newer, {}), newer);
}

TEST(Settle, where_neither_knows_only_a_new_root_begins) {
  EXPECT_EQ(next_of_agent({}, {}, false), Next::begin);
  EXPECT_EQ(next_of_agent({}, {}, true), Next::hold);
}

TEST(Settle, words_that_contradict_each_other_are_a_persons_to_settle) {
  const Chain one = chain({mirror_1, other_mirror_2}), other = chain({mirror_1, drain_2});
  EXPECT_EQ(next_of_agent(one, other, true), Next::hold);
  EXPECT_EQ(next_of_agent(other, one, true), Next::hold);
  EXPECT_EQ(kept_by_receiver(other, one), other);
  const Chain settled = say(one, other, said(0, Word::mirror, "s"));
  EXPECT_EQ(settled.back().number, 3U);
  EXPECT_EQ(next_of_agent(settled, other, true), Next::tell);
  EXPECT_EQ(kept_by_receiver(other, settled), settled);
}

TEST(Settle, the_same_word_twice_is_no_contradiction) {
  const Chain one = chain({mirror_1, other_drain_2}),
              other = chain({mirror_1, drain_2, mirror_3, said(4, Word::drain, "d")});
  EXPECT_EQ(next_of_agent(one, other, true), Next::adopt);
  EXPECT_EQ(next_of_agent(other, one, true), Next::tell);
}

TEST(Settle, of_two_copies_that_contradict_each_other_the_one_counts_that_takes_less_away) {
  const Chain mirrors = chain({mirror_1, other_mirror_2}), drains = chain({mirror_1, drain_2});
  EXPECT_EQ(newer_copy(mirrors, drains), drains);
  EXPECT_EQ(newer_copy(drains, mirrors), drains);
  EXPECT_EQ(newer_copy(chain({mirror_1}), drains), drains);
  EXPECT_EQ(newer_copy(drains, {}), drains);
}

TEST(Admits, only_the_decision_that_is_kept) {
  const Chain mirrors = chain({mirror_1}), drains = chain({mirror_1, drain_2});
  EXPECT_EQ(admits(mirrors, token_of(mirrors)), Admits::everything);
  EXPECT_EQ(admits(drains, token_of(drains)), Admits::new_mail);
  EXPECT_EQ(admits(drains, token_of(mirrors)), Admits::nothing);
  EXPECT_EQ(admits(drains, {2, "x"}), Admits::nothing);
  EXPECT_EQ(admits(drains, {3, "c"}), Admits::nothing);
}

TEST(Admits, an_agent_that_names_none_is_held_to_a_drain_all_the_same) {
  EXPECT_EQ(admits({}, {}), Admits::everything);
  EXPECT_EQ(admits(chain({mirror_1}), {}), Admits::everything);
  EXPECT_EQ(admits(chain({mirror_1, drain_2}), {}), Admits::new_mail);
}

TEST(Say, numbers_only_grow_and_the_chain_stays_short) {
  Chain known;
  for (std::uint64_t i = 1; i < 100; ++i) {
    known = say(known, {}, said(0, i % 2 == 0 ? Word::drain : Word::mirror, std::to_string(i)));
    EXPECT_EQ(known.back().number, i);
    EXPECT_LE(known.size(), k_longest_chain);
  }
  EXPECT_EQ(say(chain({mirror_1}), known, said(0, Word::drain, "z")).back().number, 100U);
}

// ---- both sides, as a model: what is on three disks, what is in memory, what a person said ----

namespace {

struct World {
  // On disks: the agent's file, the receiver's, and the copy in the root at the destination.
  Chain disk[3];
  Chain copies[3];  // older ones, as backups have them
  // Processes.
  bool agent_runs = true, receiver_runs = true;
  std::optional<Token> token;  ///< what the agent sends under, once both sides agree
  bool mirrors = false;        ///< and what it does
  struct Sent {
    Token token;
    Word said = Word::mirror;  ///< the person's last word when it was sent
  };
  std::vector<Sent> in_flight;
  Chain receiver_memory;
  std::uint64_t words = 0;
  Word last_said = Word::mirror;  ///< the person's, once the command answered or the word was durable

  enum Disk { agent = 0, receiver = 1, root = 2 };

  Decision word(Word what) { return said(0, what, "w" + std::to_string(++words)); }

  void start_receiver() {
    receiver_runs = true;
    receiver_memory = newer_copy(disk[receiver], disk[root]);
    disk[receiver] = disk[root] = receiver_memory;
  }

  /// A crash may come between any two of its steps: `steps` are done.
  void receiver_takes(const Chain& told, int steps) {
    const Chain kept = kept_by_receiver(receiver_memory, told);
    if (steps > 0) disk[receiver] = kept;
    if (steps > 1) disk[root] = kept;
    if (steps > 2) receiver_memory = kept;
    if (steps <= 2) receiver_runs = false;
  }

  void greet(int steps) {
    token.reset();
    if (!agent_runs || !receiver_runs) return;
    receiver_takes(disk[agent], steps);
    if (!receiver_runs) return;
    switch (next_of_agent(disk[agent], receiver_memory, words > 0)) {
      case Next::begin:
        disk[agent] = say({}, {}, word(Word::mirror));
        return receiver_takes(disk[agent], 3);
      case Next::adopt:
        disk[agent] = receiver_memory;
        break;
      case Next::go_on:
        break;
      default:
        return;
    }
    token = token_of(disk[agent]);
    mirrors = disk[agent].back().word == Word::mirror;
  }

  /// The command `drain` or `mirror`; `steps` of: durable here, told there.
  void command(Word what, int steps) {
    if (!agent_runs || steps == 0) return;
    const bool connected = receiver_runs && steps > 1;
    disk[agent] = say(disk[agent], receiver_runs ? receiver_memory : Chain{}, word(what));
    last_said = what;
    token.reset();
    if (connected) greet(steps - 1);
  }

  void send() {
    if (token && agent_runs) in_flight.push_back({*token, last_said});
  }

  /// Something that was sent, perhaps long ago, arrives: whether it may do more than add new mail.
  const Sent* admitted(std::size_t which) const {
    if (!receiver_runs || in_flight.empty()) return nullptr;
    const Sent& sent = in_flight[which % in_flight.size()];
    return admits(receiver_memory, sent.token) == Admits::everything ? &sent : nullptr;
  }

  void lose(int which) { disk[which].clear(); }
  void back_up(int which) { copies[which] = disk[which]; }
  void restore(int which) { disk[which] = copies[which]; }

  /// Whether one of the disks has the newest word: what no disk has any more, nobody can know.
  bool is_known(const Chain (&disks)[3]) const {
    for (const auto& kept : disks) {
      if (contains(kept, newest_)) return true;
    }
    return false;
  }
  void remember() {
    for (const auto& kept : disk) {
      if (!kept.empty() && kept.back().id == "w" + std::to_string(words)) newest_ = kept.back();
    }
  }
  Decision newest_;
};

}  // namespace

TEST(Settle, no_sequence_of_commands_crashes_losses_and_restores_mirrors_after_a_drain) {
  const bool good = rc::check("no mirror operation after a drain that no newer word took back", [] {
    World world;
    world.start_receiver();
    world.greet(3);
    world.greet(3);
    world.remember();
    const auto count = *rc::gen::inRange(1, 120);
    for (int i = 0; i < count; ++i) {
      const auto what = *rc::gen::inRange(0, 12);
      const auto which = *rc::gen::inRange(0, 3);
      switch (what) {
        case 0:
        case 1:
          world.command(what == 0 ? Word::drain : Word::mirror, *rc::gen::inRange(0, 5));
          break;
        case 2:
          world.send();
          break;
        case 3:
          world.greet(*rc::gen::inRange(0, 4));
          break;
        case 4:
        case 5: {
          World after = world;
          what == 4 ? after.lose(which) : after.restore(which);
          if (which == World::agent) after.agent_runs = false, after.token.reset();
          if (which == World::receiver) after.receiver_runs = false;
          if (after.is_known(after.disk)) world = std::move(after);
          break;
        }
        case 6:
          world.back_up(which);
          break;
        case 7:
          world.agent_runs = false;
          world.token.reset();
          break;
        case 8:
          world.agent_runs = true;
          break;
        case 9:
          world.receiver_runs = false;
          break;
        default:
          if (!world.receiver_runs) world.start_receiver();
          break;
      }
      world.remember();
      const auto* admitted = world.admitted(*rc::gen::inRange<std::size_t>(0, 1000));
      if (admitted == nullptr) continue;
      // What was on its way before a drain may still arrive before the receiver hears of it, and never afterwards.
      RC_ASSERT(admitted->said == Word::mirror);
      RC_ASSERT(world.last_said == Word::mirror || !contains(world.receiver_memory, world.newest_));
    }
  });
  EXPECT_TRUE(good);
}

}  // namespace maildirsync::decisions
