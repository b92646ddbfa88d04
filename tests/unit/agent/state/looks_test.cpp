#include "tests/unit/agent/state/accounts.h"

namespace maildirsync::agent {
namespace {

using namespace testing;
using Looks = std::vector<std::pair<std::string, std::uint64_t>>;

constexpr std::uint64_t k_large = ~std::uint64_t{0} - 1;  // SQLite's numbers are signed

class LooksTest : public StateTest {
 protected:
  std::vector<std::string> acknowledge(const std::vector<sync::Operation>& operations,
                                       const std::vector<State::FolderLook>& looks) {
    return state->apply(account, operations, looks).value();
  }
};

TEST_F(LooksTest, a_folder_that_was_made_looks_as_it_was_left) {
  EXPECT_TRUE(acknowledge({make_folder("")}, {{"", 1, k_large}}).empty());
  EXPECT_TRUE(acknowledge({put(at("", "cur/1.x"), 1)}, {{"", k_large, 20}, {"", 20, 30}}).empty());
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 30}}));
}

TEST_F(LooksTest, a_change_of_others_between_ours_is_told_and_the_look_is_not_known_then) {
  acknowledge({make_folder("")}, {{"", 1, 10}});
  EXPECT_EQ(acknowledge({put(at("", "cur/1.x"), 1)}, {{"", 11, 20}}), std::vector<std::string>{""});
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 0}}));
  // And it stays so until it is compared.
  EXPECT_TRUE(acknowledge({put(at("", "cur/2.x"), 2)}, {{"", 20, 30}}).empty());
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 0}}));
  ASSERT_TRUE(state->set_looks(account, {{"", 40}, {".Theirs", 50}}));
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 40}}));
}

TEST_F(LooksTest, a_folder_that_was_there_before_we_made_it_is_of_others) {
  EXPECT_EQ(acknowledge({make_folder("")}, {{"", 9, 10}}), std::vector<std::string>{""});
}

TEST_F(LooksTest, what_is_too_young_to_be_believed_is_not_known) {
  acknowledge({make_folder("")}, {{"", 1, 0}});
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 0}}));
}

TEST_F(LooksTest, a_look_that_could_not_be_had_before_is_no_change_of_others) {
  acknowledge({make_folder("")}, {{"", 1, 10}});
  EXPECT_TRUE(acknowledge({put(at("", "cur/1.x"), 1)}, {{"", 0, 20}}).empty());
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 20}}));
}

TEST_F(LooksTest, a_renamed_folder_takes_its_look_along) {
  acknowledge({make_folder(""), make_folder(".A")}, {{"", 1, 10}, {".A", 1, 11}});
  EXPECT_TRUE(acknowledge({rename_folder(".A", ".B")}, {{"", 10, 20}, {".B", 11, 21}}).empty());
  EXPECT_EQ(state->looks(account).value(), (Looks{{"", 20}, {".B", 21}}));
}

TEST_F(LooksTest, mounts_are_kept_and_of_a_new_folder_not_known) {
  acknowledge({make_folder(""), make_folder(".A")}, {});
  EXPECT_TRUE(state->mounts(account).value().empty());
  ASSERT_TRUE(state->set_mounts(account, {{"", 0}, {".A", 77}}));
  acknowledge({make_folder(".B")}, {});
  EXPECT_EQ(state->mounts(account).value(), (std::map<std::string, std::uint64_t>{{"", 0}, {".A", 77}}));
}

}  // namespace
}  // namespace maildirsync::agent
