#include <array>
#include <ostream>
#include <set>

#include <rapidcheck.h>

#include "common/sync/plan.h"
#include "tests/unit/agent/state/accounts.h"

namespace maildirsync::agent::testing {

/// One operation of an account with few folders, names and owners, so that operations meet. Any numbers mean something.
struct Step {
  std::uint8_t kind = 0, from = 0, to = 0, inode = 0;
};

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << "{" << int{step.kind} << ", " << int{step.from} << ", " << int{step.to} << ", " << int{step.inode}
             << "}";
}

}  // namespace maildirsync::agent::testing

namespace rc {
template <>
struct Arbitrary<maildirsync::agent::testing::Step> {
  static Gen<maildirsync::agent::testing::Step> arbitrary() {
    using Step = maildirsync::agent::testing::Step;
    return gen::build<Step>(gen::set(&Step::kind), gen::set(&Step::from), gen::set(&Step::to), gen::set(&Step::inode));
  }
};
}  // namespace rc

namespace maildirsync::agent {
namespace {

using namespace testing;
using sync::AccountManifest;
using sync::Operation;
using sync::OperationKind;
using Steps = std::vector<Step>;

const std::array<std::string, 7> k_folders{"", "a", "a/b", "a/b/b", "a0", "a\xff", "b"};
const std::array<std::string, 10> k_names{"cur/1.x",    "cur/1.x:2,S",   "new/1.x", "cur/2.x:2,",  "cur/2.x:2,R",
                                          "new/\xff\n", "subscriptions", "1.x",     "cur/1.x;2,S", "cur/1.x!2,S"};

sync::Location place(std::uint8_t which) {
  return at(k_folders[which % k_folders.size()], k_names[which / k_folders.size() % k_names.size()]);
}

sync::Attributes owner(std::uint8_t which) {
  return {which % 2U == 0 ? 0600U : 0640U, which % 3U, which % 2U};
}

/// Every kind; files more often than folders.
constexpr std::array k_kinds{OperationKind::put,
                             OperationKind::put_control,
                             OperationKind::link,
                             OperationKind::rename,
                             OperationKind::rename,
                             OperationKind::remove,
                             OperationKind::set_attributes,
                             OperationKind::put,
                             OperationKind::put,
                             OperationKind::make_folder,
                             OperationKind::make_folder,
                             OperationKind::rename_folder,
                             OperationKind::remove_folder};

Operation operation(const Step& step) {
  Operation operation{.kind = k_kinds[step.kind % k_kinds.size()], .from = place(step.from), .to = place(step.to)};
  operation.result = entry(operation.to, step.inode % 5U);
  operation.result.attributes = owner(step.inode);
  if (step.inode % 4 == 0) operation.result.digest.reset();
  if (step.inode % 7 == 0) {
    operation.result.kind = sync::EntryKind::symlink;
    operation.result.target = "target " + std::to_string(step.inode);
  }
  operation.folder.self = owner(step.inode);
  if (step.inode % 2 == 0) operation.folder.cur = owner(step.from);
  if (step.inode % 3 == 0) operation.folder.new_ = owner(step.from);
  if (step.inode % 5 == 0) operation.folder.tmp = owner(step.from);
  operation.folder_inode = step.inode;
  return operation;
}

/// No receiver acknowledges a folder's rename to where one is, or to below itself.
bool can_happen(const AccountManifest& manifest, const Operation& operation) {
  if (operation.kind != OperationKind::rename_folder) return true;
  const std::string &from = operation.from.folder, &to = operation.to.folder;
  if (from.empty() || to.starts_with(from + "/")) return false;
  for (const auto& folder : manifest.folders) {
    if (folder.path != from && !folder.path.starts_with(from + "/")) continue;
    if (manifest.find(to + folder.path.substr(from.size())) != nullptr) return false;
  }
  return true;
}

/// The operations that can happen one after the other.
std::vector<Operation> operations(AccountManifest manifest, const Steps& steps) {
  std::vector<Operation> possible;
  for (const auto& step : steps) {
    auto next = operation(step);
    if (!can_happen(manifest, next)) continue;
    manifest = sync::apply(std::move(manifest), {next});
    possible.push_back(std::move(next));
  }
  return possible;
}

AccountManifest manifest_of(const Steps& steps) {
  AccountManifest manifest{.structure_whole = true};
  for (const auto& path : {"", "a", "b"})
    manifest = sync::apply(std::move(manifest), {make_folder(path)});
  const auto history = operations(manifest, steps);
  return sync::apply(std::move(manifest), history);
}

/// One state for all tries of a property; each has an account of its own in it.
class ApplyTest {
 public:
  ApplyTest() : state_(State::open(directory_.path()).value()) {}

  void begin(const AccountManifest& manifest) {
    account_ = state_->account("root", std::to_string(++tries_)).value();
    replace(manifest);
  }
  void replace(const AccountManifest& manifest) {
    const auto done = state_->replace(account_, manifest);
    if (!done) RC_FAIL(done.error().message());
  }
  void apply(const std::vector<Operation>& operations) {
    const auto done = state_->apply(account_, operations);
    if (!done) RC_FAIL(done.error().message());
  }

  void is(const AccountManifest& expected) {
    const auto folders = state_->folders(account_).value();
    RC_ASSERT(folders.structure_whole);
    RC_ASSERT(folders.folders.size() == expected.folders.size());
    std::uint64_t messages = 0, bytes = 0;
    for (std::size_t i = 0; i < expected.folders.size(); ++i) {
      const auto &folder = folders.folders[i], &wanted = expected.folders[i];
      RC_ASSERT(folder.path == wanted.path);
      RC_ASSERT(folder.inode == wanted.inode);
      RC_ASSERT((folder.self == wanted.self && folder.cur == wanted.cur));
      RC_ASSERT((folder.new_ == wanted.new_ && folder.tmp == wanted.tmp));
      RC_ASSERT((state_->entries(account_, wanted.path).value() == wanted.entries));
      for (const auto& entry : wanted.entries) {
        if (entry.area == sync::Area::folder) continue;
        ++messages;
        bytes += entry.size;
      }
    }
    const auto row = state_->account_row(account_).value();
    RC_ASSERT(row.folders == expected.folders.size());
    RC_ASSERT(row.messages == messages);
    RC_ASSERT(row.bytes == bytes);
    look_ups_agree(expected);
  }

 private:
  void look_ups_agree(const AccountManifest& expected) {
    std::size_t with_inode = 0;
    for (const auto& folder : expected.folders) {
      std::vector<sync::Entry> named, control;
      for (const auto& entry : folder.entries) {
        if (sync::base_name(entry) == "1.x") named.push_back(entry);
        if (entry.area == sync::Area::folder) control.push_back(entry);
        if (entry.inode == 1 || entry.inode == 2) ++with_inode;
      }
      RC_ASSERT((state_->entries_named(account_, folder.path, {"1.x"}).value() == named));
      RC_ASSERT((state_->control_entries(account_, folder.path).value() == control));
    }
    RC_ASSERT(state_->find_inodes(account_, {1, 2}).value().size() == with_inode);
  }

  Tree directory_;
  std::unique_ptr<State> state_;
  AccountId account_ = 0;
  int tries_ = 0;
};

TEST(Apply, any_operations_mean_what_they_mean_in_the_model) {
  ApplyTest test;
  EXPECT_TRUE(rc::check([&](const Steps& history, const Steps& steps) {
    const auto before = manifest_of(history);
    const auto batch = operations(before, steps);
    test.begin(before);
    test.apply(batch);
    test.is(sync::apply(before, batch));
  }));
}

TEST(Apply, a_plan_leads_from_one_account_to_the_other) {
  ApplyTest test;
  EXPECT_TRUE(rc::check([&](const Steps& one, const Steps& other) {
    const auto before = manifest_of(one);
    const auto plan = sync::plan(before, manifest_of(other));
    test.begin(before);
    test.apply(plan);
    test.is(sync::apply(before, plan));
  }));
}

TEST(Apply, a_batch_can_be_cut_anywhere) {
  ApplyTest test;
  EXPECT_TRUE(rc::check([&](const Steps& history, const Steps& steps) {
    const auto before = manifest_of(history);
    const auto batch = operations(before, steps);
    test.begin(before);
    for (const auto& operation : batch)
      test.apply({operation});
    test.is(sync::apply(before, batch));
  }));
}

TEST(Replace, gives_exactly_the_other_account) {
  ApplyTest test;
  EXPECT_TRUE(rc::check([&](const Steps& one, const Steps& other) {
    const auto after = manifest_of(other);
    test.begin(manifest_of(one));
    test.replace(after);
    test.is(after);
  }));
}

class RenameFolderTest : public StateTest {
 protected:
  Names folders() {
    Names paths;
    const auto known = state->folders(account).value();
    for (const auto& folder : known.folders)
      paths.push_back(folder.path);
    return paths;
  }
};

TEST_F(RenameFolderTest, takes_all_below_it_along_and_no_folder_beside_it) {
  apply({make_folder("a"), make_folder("a/b"), make_folder("a/b/c"), make_folder("a.b"), make_folder("ab")});
  apply({rename_folder("a", "z"), rename_folder("unknown", "y")});
  EXPECT_EQ(folders(), (Names{"a.b", "ab", "z", "z/b", "z/b/c"}));
}

TEST_F(RenameFolderTest, to_where_another_is_leaves_one_with_what_came) {
  apply({make_folder("a"), make_folder("b"), put(at("a", "cur/1.x"), 1), put(at("b", "cur/2.x"), 2)});
  apply({rename_folder("a", "b")});
  EXPECT_EQ(folders(), Names{"b"});
  EXPECT_EQ(names("b"), Names{"cur/1.x"});
  EXPECT_EQ(state->account_row(account).value().messages, 1U);
}

TEST_F(RenameFolderTest, between_paths_that_lie_below_each_other_loses_none) {
  apply({make_folder("a"), make_folder("a/b"), make_folder("a/b/c"), make_folder("a/c"), put(at("a/c", "cur/1.x"), 1)});
  apply({rename_folder("a", "a/b")});
  EXPECT_EQ(folders(), (Names{"a/b", "a/b/b", "a/b/b/c", "a/b/c"}));
  EXPECT_EQ(names("a/b/c"), Names{"cur/1.x"});
  apply({rename_folder("a/b", "a")});
  EXPECT_EQ(folders(), (Names{"a", "a/b", "a/b/c", "a/c"}));
  EXPECT_EQ(names("a/c"), Names{"cur/1.x"});
}

}  // namespace
}  // namespace maildirsync::agent
