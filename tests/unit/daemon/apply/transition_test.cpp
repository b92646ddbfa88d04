#include "daemon/apply/transition.h"

#include <gtest/gtest.h>

#include "common/codec/digest.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

constexpr const char* k_name = "1.M1.host,S=12:2,S";

class Put : public ::testing::TestWithParam<os::WayToWrite> {
 protected:
  Put() {
    tree_.directory("cur");
    account_->root = std::make_shared<const os::Directory>(tree_.open());
    account_->tree = std::make_shared<Tree>(account_->root, "", std::vector<std::optional<sync::Attributes>>());
  }

  Result<Outcome> put(const std::string& content) {
    StagedOperation staged;
    staged.account = account_;
    sync::Entry& result = staged.operation.result;
    staged.operation.kind = sync::OperationKind::put;
    staged.operation.to = {"", sync::Area::cur, k_name};
    result.size = content.size();
    result.attributes = {0600, ::geteuid(), ::getegid()};
    codec::Digester digester;
    digester.update(content);
    result.digest = digester.finish();
    const auto directory = std::make_shared<const os::Directory>(account_->root->open_directory("cur").value());
    staged.aside.emplace(Aside::create(directory, GetParam()).value());
    EXPECT_TRUE(staged.aside->write(content));
    os::SyncSet sync;
    return transition(staged, sync);
  }

  std::string there() { return tree_.content(std::string("cur/") + k_name); }
  std::size_t files() const { return account_->root->open_directory("cur").value().list().value().size(); }

  maildirsync::testing::Tree tree_;
  std::shared_ptr<Account> account_ = std::make_shared<Account>();
};

TEST_P(Put, takes_the_place_of_an_empty_file) {
  tree_.file(std::string("cur/") + k_name, "");
  const auto done = put("Subject: x\n\n");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->renamed, "");
  EXPECT_EQ(there(), "Subject: x\n\n");
  EXPECT_EQ(files(), 1u);
}

TEST_P(Put, takes_the_place_of_its_own_beginning) {
  const std::string whole = "Subject: x\n\n" + std::string(300'000, 'y');
  for (const std::size_t size : {1UL, 12UL, 131'072UL, 200'000UL, whole.size() - 1}) {
    tree_.file(std::string("cur/") + k_name, whole.substr(0, size));
    const auto done = put(whole);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->renamed, "");
    EXPECT_TRUE(there() == whole) << size;
    EXPECT_EQ(files(), 1u);
  }
}

TEST_P(Put, goes_beside_a_file_that_holds_something_else) {
  const std::string whole = "Subject: x\n\n" + std::string(300'000, 'y');
  for (const auto& theirs : {std::string("S0bject"), whole.substr(0, 250'000) + "z", whole + "y"}) {
    tree_.file(std::string("cur/") + k_name, theirs);
    const auto done = put(whole);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_NE(done->renamed, "");
    EXPECT_TRUE(there() == theirs) << theirs.size();
    EXPECT_EQ(files(), 2u);
    tree_.remove("cur/" + done->renamed);
  }
}

TEST_P(Put, leaves_no_name_of_ours_behind) {
  ASSERT_TRUE(put("a message"));
  EXPECT_TRUE(put("a message")) << "the second time";
  EXPECT_EQ(there(), "a message");
  EXPECT_EQ(files(), 1u);
}

INSTANTIATE_TEST_SUITE_P(InEachWay, Put,
                         ::testing::Values(os::WayToWrite::unnamed, os::WayToWrite::relinked, os::WayToWrite::named,
                                           os::WayToWrite::careful),
                         [](const auto& one) { return os::name_of(one.param); });

}  // namespace
}  // namespace maildirsync::daemon
