#include "agent/look/look.h"

#include <ctime>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "common/sync/plan.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using sync::Area;
using sync::Operation;
using sync::OperationKind;

/// The kernel's watcher, and what happens while a directory is being watched.
class BusyWatcher : public Watcher {
 public:
  Result<> watch(const os::Directory& directory, Place place) override {
    if (meanwhile) meanwhile(place);
    return real_->watch(directory, std::move(place));
  }
  void forget_account(std::uint32_t account) override { real_->forget_account(account); }
  int fd() const override { return real_->fd(); }
  Events read() override { return real_->read(); }
  const char* backend() const override { return real_->backend(); }
  const char* overflow_remedy() const override { return real_->overflow_remedy(); }
  std::size_t watches() const override { return real_->watches(); }
  std::vector<std::string> recent() const override { return real_->recent(); }

  std::function<void(const Place&)> meanwhile;

 private:
  std::unique_ptr<Watcher> real_ = make_inotify_watcher().value();
};

/// An account "a" of a root, of which the state knows what it held when it was settled.
class LookTest : public ::testing::Test {
 protected:
  LookTest() {
    root_.maildir("a").maildir("a/.Old").maildir("a/.Drafts").message("a/.Old/cur/1.x:2,S");
    order_.account = state_->account("root", "a").value();
    order_.root_name = "root";
    order_.account_path = order_.account_name = "a";
    order_.root = std::make_shared<const os::Directory>(root_.open());
    settle();
  }

  /// All that is there is acknowledged.
  void settle() {
    Work work;
    work.structure = true;
    EXPECT_TRUE(state_->apply(order_.account, plan_of(work)));
  }

  std::vector<Operation> plan_of(const Work& work) {
    order_.work = work;
    look_ = {};
    const auto looked = look(order_, *state_, watcher_, totals_, look_);
    EXPECT_TRUE(looked) << looked.error().message();
    return looked ? sync::plan(look_.before, look_.after) : std::vector<Operation>();
  }

  static Work told(const std::string& folder, std::initializer_list<AreaName> names) {
    Work work;
    for (const auto& name : names)
      work.add_name(folder, name, Clock::now());
    return work;
  }

  using Lines = std::vector<std::string>;
  static Lines lines(const std::vector<Operation>& operations) {
    Lines lines;
    for (const auto& operation : operations) {
      lines.emplace_back(name_of(operation.kind));
      for (const auto* at : {&operation.from, &operation.to}) {
        if (!at->name.empty()) lines.back() += " " + path_of(*at);
      }
    }
    return lines;
  }

  void rename(const std::string& from, const std::string& to) {
    std::filesystem::rename(root_.path(from), root_.path(to));
  }
  void link(const std::string& from, const std::string& to) {
    std::filesystem::create_hard_link(root_.path(from), root_.path(to));
  }

  Tree root_, state_directory_;
  std::unique_ptr<State> state_ = State::open(state_directory_.path()).value();
  BusyWatcher watcher_;
  Totals totals_;
  TurnOrder order_;
  Look look_;
};

TEST_F(LookTest, finds_nothing_to_do_where_nothing_changed) {
  Work work;
  work.structure = true;
  EXPECT_TRUE(plan_of(work).empty());
}

TEST_F(LookTest, a_copy_from_a_folder_that_was_renamed_since_is_a_link) {
  link("a/.Old/cur/1.x:2,S", "a/.Drafts/cur/1.x:2,S");
  rename("a/.Old", "a/.New");
  Work work;
  work.add_name(".Drafts", {Area::cur, "1.x:2,S"}, Clock::now());
  const auto operations = plan_of(work);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::link);
  EXPECT_EQ(path_of(operations[0].from), ".Old/cur/1.x:2,S");  // as the destination still has it
  EXPECT_TRUE(look_.again.structure);

  ASSERT_TRUE(state_->apply(order_.account, operations));
  const auto then = plan_of(look_.again);
  ASSERT_EQ(then.size(), 1u);
  EXPECT_EQ(then[0].kind, OperationKind::rename_folder);
}

TEST_F(LookTest, a_message_of_another_name_from_a_folder_that_is_gone_is_sent) {
  link("a/.Old/cur/1.x:2,S", "a/.Drafts/cur/2.y:2,S");
  std::filesystem::remove_all(root_.path("a/.Old"));
  Work work;
  work.add_name(".Drafts", {Area::cur, "2.y:2,S"}, Clock::now());
  const auto operations = plan_of(work);
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].kind, OperationKind::put);
}

TEST_F(LookTest, a_message_that_changed_in_place_to_equal_length_is_sent) {
  root_.message("a/.Old/cur/1.x:2,S", "Subject: y\n\nbody\n");
  // The directories are as they were: the event alone tells of it, whether names or the account are looked at.
  const auto stamps = look_.stamps;
  for (const bool pruned : {false, true}) {
    if (pruned) {
      ASSERT_TRUE(state_->set_stamps(order_.account, stamps));
    }
    for (const bool structure : {false, true}) {
      Work work = told(".Old", {{Area::cur, "1.x:2,S"}});
      work.structure = structure;
      EXPECT_EQ(lines(plan_of(work)), Lines({"put .Old/cur/1.x:2,S"})) << structure << pruned;
    }
  }
  Work full;
  full.full = true;
  EXPECT_EQ(lines(plan_of(full)), Lines({"put .Old/cur/1.x:2,S"}));
}

// What is said of a stamp in the future is true of one of the present tick: a change to come may share it.
TEST_F(LookTest, a_change_in_the_tick_of_the_last_look_is_found) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t tick = os::nanoseconds(now) + 3'600'000'000'000;
  root_.settle().mtime("a/.Old", tick).mtime("a/.Drafts/cur", tick).mtime("a/new", tick);
  settle();
  ASSERT_TRUE(state_->set_stamps(order_.account, look_.stamps));
  root_.file("a/.Old/dovecot-acl", "x").mtime("a/.Old", tick);
  root_.message("a/.Drafts/cur/2.x:2,").mtime("a/.Drafts/cur", tick);
  root_.message("a/new/3.x").mtime("a/new", tick);
  Work work;
  work.structure = true;
  EXPECT_EQ(lines(plan_of(work)), Lines({"put new/3.x", "put .Drafts/cur/2.x:2,", "put_control .Old/dovecot-acl"}));
}

TEST_F(LookTest, a_message_that_gets_other_names_under_the_look_is_followed) {
  const std::vector<std::string> names{"1.x:2,F", "1.x:2,FS", "1.x:2,RS", "1.x:2,T"};
  rename("a/.Old/cur/1.x:2,S", "a/.Old/cur/" + names[1]);
  std::size_t asked = 0;
  order_.later = [&] {
    if (++asked + 1 < names.size()) rename("a/.Old/cur/" + names[asked], "a/.Old/cur/" + names[asked + 1]);
    return std::optional(told(".Old", {{Area::cur, names[asked]}}));
  };
  const auto operations = plan_of(told(".Old", {{Area::cur, "1.x:2,S"}, {Area::cur, names[0]}}));
  EXPECT_EQ(lines(operations), Lines({"rename .Old/cur/1.x:2,S .Old/cur/1.x:2,T"}));
  EXPECT_TRUE(look_.again.empty());
  EXPECT_EQ(asked, names.size() - 1);
}

TEST_F(LookTest, a_message_that_never_rests_is_not_taken_for_removed) {
  root_.file("a/.Old/dovecot-uidlist", "1 :1.x\n");
  std::string name = "1.x:2,F";
  rename("a/.Old/cur/1.x:2,S", "a/.Old/cur/" + name);
  order_.later = [&] {
    const std::string next = name == "1.x:2,F" ? "1.x:2,R" : "1.x:2,F";
    rename("a/.Old/cur/" + name, "a/.Old/cur/" + next);
    return std::optional(told(".Old", {{Area::cur, std::exchange(name, next)}}));
  };
  const auto operations = plan_of(told(".Old", {{Area::cur, "1.x:2,P"}, {Area::folder, "dovecot-uidlist"}}));
  EXPECT_EQ(lines(operations), Lines());
  const auto& again = look_.again.folders[".Old"].names;
  EXPECT_TRUE(again.contains({Area::folder, "dovecot-uidlist"}));
  EXPECT_EQ(again.size(), 2u);
}

TEST_F(LookTest, a_message_is_not_taken_for_removed_when_it_is_not_known_what_happened_since) {
  rename("a/.Old/cur/1.x:2,S", "a/.Old/cur/1.x:2,FS");
  order_.later = [] { return std::nullopt; };
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::cur, "1.x:2,S"}}))), Lines());
  EXPECT_TRUE(look_.again.folders[".Old"].names.contains({Area::cur, "1.x:2,S"}));
}

TEST_F(LookTest, a_message_that_is_gone_is_removed) {
  root_.remove("a/.Old/cur/1.x:2,S");
  order_.later = [] { return std::optional(Work()); };
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::cur, "1.x:2,S"}}))), Lines({"remove .Old/cur/1.x:2,S"}));
}

// Flags that were set and taken back: the name that was told of is gone, the known one is there again.
TEST_F(LookTest, a_name_that_came_and_went_takes_no_message_away) {
  order_.later = [] { return std::optional(Work()); };
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::cur, "1.x:2,FS"}}))), Lines());
  EXPECT_TRUE(look_.again.empty());
}

TEST_F(LookTest, a_second_name_of_a_message_is_no_rename_of_the_first) {
  link("a/.Old/cur/1.x:2,S", "a/.Old/cur/1.x:2,FS");
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::cur, "1.x:2,FS"}}))),
            Lines({"link .Old/cur/1.x:2,S .Old/cur/1.x:2,FS"}));
}

TEST_F(LookTest, what_came_before_a_control_file_was_read_goes_before_it) {
  root_.file("a/.Old/dovecot-keywords", "0 label\n");
  rename("a/.Old/cur/1.x:2,S", "a/.Old/cur/1.x:2,Sa");
  order_.later = [&] { return std::optional(told(".Old", {{Area::cur, "1.x:2,S"}, {Area::cur, "1.x:2,Sa"}})); };
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::folder, "dovecot-keywords"}}))),
            Lines({"rename .Old/cur/1.x:2,S .Old/cur/1.x:2,Sa", "put_control .Old/dovecot-keywords"}));
}

TEST_F(LookTest, a_folder_that_the_walk_missed_stays_as_it_was) {
  root_.directory("elsewhere");
  link("a/.Old/cur/1.x:2,S", "a/.Drafts/cur/1.x:2,S");
  bool done = false;
  watcher_.meanwhile = [&](const Place& place) {
    if (!done && place.path == ".Drafts") rename("a/.Old", "elsewhere/.Old");
    done |= place.path == ".Drafts";
  };
  order_.work.structure = true;
  look_ = {};
  const auto looked = look(order_, *state_, watcher_, totals_, look_);
  ASSERT_TRUE(looked);
  EXPECT_FALSE(look_.after.structure_whole);
  EXPECT_EQ(look_.unseen, std::set<std::string>{".Old"});
  ASSERT_NE(look_.before.find(".Old"), nullptr);
  EXPECT_EQ(look_.before.find(".Old")->entries.size(), 1u);
  EXPECT_EQ(lines(sync::plan(look_.before, look_.after)), Lines({"link .Old/cur/1.x:2,S .Drafts/cur/1.x:2,S"}));
}

TEST_F(LookTest, a_folder_that_vanished_between_the_walk_and_its_listing_stays_as_it_was) {
  root_.directory("elsewhere");
  root_.message("a/.Old/cur/2.x:2,").maildir("a/.Sub");
  bool done = false;
  watcher_.meanwhile = [&](const Place& place) {
    if (!done && place.path == ".Sub") rename("a/.Old", "elsewhere/.Old");  // the last of the walk
    done |= place.path == ".Sub";
  };
  order_.work.structure = order_.work.compare = true;
  look_ = {};
  const auto looked = look(order_, *state_, watcher_, totals_, look_);
  ASSERT_TRUE(looked);
  EXPECT_FALSE(look_.after.structure_whole);
  for (const auto* side : {&look_.before, &look_.after}) {
    ASSERT_NE(side->find(".Old"), nullptr);
    EXPECT_EQ(side->find(".Old")->entries.size(), 1u);
  }
}

TEST_F(LookTest, what_came_into_a_folder_after_it_was_listed_is_for_the_next_turn) {
  root_.file("a/.Old/dovecot-keywords", "0 label\n");
  order_.later = [&] {
    root_.message("a/.Drafts/new/9.x");
    return std::optional(told(".Drafts", {{Area::new_, "9.x"}}));
  };
  Work work = told(".Old", {{Area::folder, "dovecot-keywords"}});
  work.folders[".Drafts"].everything = true;
  work.changed_at(Clock::now());
  EXPECT_EQ(lines(plan_of(work)), Lines({"put_control .Old/dovecot-keywords"}));
  EXPECT_TRUE(look_.again.folders[".Drafts"].names.contains({Area::new_, "9.x"}));
}

TEST_F(LookTest, a_control_file_waits_while_it_is_not_known_what_came_before_it) {
  root_.file("a/.Old/dovecot-uidlist", "1 :1.x\n");
  order_.later = [] { return std::nullopt; };
  EXPECT_EQ(lines(plan_of(told(".Old", {{Area::folder, "dovecot-uidlist"}}))), Lines());
  EXPECT_TRUE(look_.again.folders[".Old"].names.contains({Area::folder, "dovecot-uidlist"}));
}

// The inode of a list that was written anew is soon a message's. To look at the list for that would be to read it
// behind the messages that it names.
TEST_F(LookTest, a_message_with_the_inode_of_a_control_file_does_not_lead_to_that) {
  root_.file("a/.Old/dovecot-uidlist", "1 :1.x\n");
  settle();
  rename("a/.Old/dovecot-uidlist", "a/.Drafts/cur/2.y:2,S");
  root_.file("a/.Old/dovecot-uidlist", "1 :1.x\n2 :3.z\n");
  EXPECT_EQ(lines(plan_of(told(".Drafts", {{Area::cur, "2.y:2,S"}}))), Lines({"put .Drafts/cur/2.y:2,S"}));
}

}  // namespace
}  // namespace maildirsync::agent
