#include "daemon/apply/stage.h"

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::daemon {
namespace {

using sync::OperationKind;

constexpr const char* k_body = "Subject: x\n\nHello\n";
constexpr std::int64_t k_mtime = 1'700'000'000'000'000'000;

sync::Digest digest_of(std::string_view content) {
  codec::Digester digester;
  digester.update(content);
  return digester.finish();
}

class Stage : public ::testing::Test {
 protected:
  Stage() {
    tree_.maildir("anna");
    account_->path = account_->key = "anna";
    account_->root = std::make_shared<const os::Directory>(tree_.open());
    config::Owner owner;
    owner.users = {{"5000", std::to_string(::geteuid())}};
    owner.groups = {{"5000", std::to_string(::getegid())}};
    auto map = OwnerMap::make(owner, "root \"vhosts\" of peer \"old\"");
    EXPECT_TRUE(map) << map.error().message();
    owners_ = std::make_shared<const OwnerMap>(std::move(*map));
    EXPECT_TRUE(stager_.open(account_, owners_));
  }

  static sync::Operation put(std::string_view body = k_body) {
    sync::Operation operation;
    operation.kind = OperationKind::put;
    operation.to = {"", sync::Area::cur, "1.x:2,S"};
    operation.result.area = sync::Area::cur;
    operation.result.name = operation.to.name;
    operation.result.size = body.size();
    operation.result.mtime = k_mtime;
    operation.result.attributes = {0600, 5000, 5000};
    operation.result.digest = digest_of(body);
    return operation;
  }

  Result<std::optional<StagedOperation>> arrive(sync::Operation operation, std::string_view piece, bool more = false) {
    return stager_.operation(
        {.sequence = ++sequence_, .operation = std::move(operation), .piece = piece, .more = more, .basis = basis_},
        names_);
  }

  static void expect_violation(const Result<std::optional<StagedOperation>>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::protocol);
  }
  /// Fails by itself, and the connection goes on.
  static void expect_failure(const Result<std::optional<StagedOperation>>& result, ErrorCode code) {
    ASSERT_TRUE(result) << result.error().message();
    ASSERT_TRUE(*result);
    ASSERT_TRUE((*result)->error);
    EXPECT_EQ((*result)->error->code, code) << (*result)->error->message();
    EXPECT_FALSE((*result)->aside) << "its space is free";
  }

  maildirsync::testing::Tree tree_;
  std::shared_ptr<Account> account_ = std::make_shared<Account>();
  std::shared_ptr<const OwnerMap> owners_;
  PeerNames names_;
  Stager stager_;
  std::uint64_t sequence_ = 0;
  std::optional<sync::Digest> basis_;
};

TEST_F(Stage, writes_a_message_aside_with_owner_mode_and_time_and_no_name) {
  const auto staged = arrive(put(), k_body);
  ASSERT_TRUE(staged) << staged.error().message();
  ASSERT_TRUE(*staged);
  ASSERT_FALSE((*staged)->error) << (*staged)->error->message();
  ASSERT_TRUE((*staged)->aside);
  struct stat status {};
  ASSERT_EQ(::fstat((*staged)->aside->fd(), &status), 0);
  EXPECT_EQ(status.st_size, static_cast<off_t>(std::string_view(k_body).size()));
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_uid, (*staged)->operation.result.attributes.uid);
  EXPECT_EQ(os::nanoseconds(status.st_mtim), k_mtime);
  EXPECT_EQ((*staged)->bytes, std::string_view(k_body).size());
  EXPECT_FALSE(tree_.exists("anna/cur/1.x:2,S"));
}

TEST_F(Stage, puts_the_pieces_of_a_body_together) {
  const auto first = arrive(put(), std::string_view(k_body).substr(0, 5), true);
  ASSERT_TRUE(first);
  EXPECT_FALSE(*first) << "there is more to come";
  const auto staged = stager_.body({.piece = std::string_view(k_body).substr(5), .last = true});
  ASSERT_TRUE(staged);
  ASSERT_TRUE(*staged);
  EXPECT_FALSE((*staged)->error) << (*staged)->error->message();
  EXPECT_EQ((*staged)->bytes, std::string_view(k_body).size());
}

TEST_F(Stage, takes_the_digest_that_comes_behind_the_last_piece) {
  auto operation = put();
  operation.result.digest.reset();
  ASSERT_TRUE(arrive(operation, std::string_view(k_body).substr(0, 5), true));
  const auto staged =
      stager_.body({.piece = std::string_view(k_body).substr(5), .last = true, .digest = digest_of(k_body)});
  ASSERT_TRUE(staged);
  ASSERT_TRUE(*staged);
  EXPECT_FALSE((*staged)->error) << (*staged)->error->message();
}

TEST_F(Stage, refuses_a_body_that_is_not_what_was_announced_and_goes_on_with_the_next) {
  expect_failure(arrive(put(), "Subject: y\n\nHello\n"), ErrorCode::protocol);
  expect_failure(arrive(put(), "too short"), ErrorCode::protocol);
  expect_failure(arrive(put(), std::string(k_body) + "and more"), ErrorCode::protocol);
  const auto good = arrive(put(), k_body);
  ASSERT_TRUE(good);
  EXPECT_FALSE((*good)->error);
}

TEST_F(Stage, lets_go_of_a_message_that_changed_while_it_was_read) {
  ASSERT_TRUE(arrive(put(), std::string_view(k_body).substr(0, 5), true));
  expect_failure(stager_.body({.abandoned = true}), ErrorCode::changed_while_read);
}

TEST_F(Stage, answers_an_operation_that_failed_on_its_way_in_its_turn) {
  const auto staged =
      stager_.operation({.sequence = 1, .operation = failure(ErrorCode::bad_name, "a/b", "cannot be a name")}, names_);
  expect_failure(staged, ErrorCode::bad_name);
}

TEST_F(Stage, says_of_a_root_that_is_not_there_what_was_found) {
  auto away = std::make_shared<Account>(*account_);
  away->root = nullptr;
  away->root_error = Error{ErrorCode::root_gone, "/srv/mail", "the root is not there", 0};
  ASSERT_TRUE(stager_.open(away, nullptr));
  expect_failure(arrive(put(), k_body), ErrorCode::root_gone);
}

TEST_F(Stage, does_not_give_a_file_to_an_owner_that_is_not_mapped) {
  const auto nobody = OwnerMap::make(config::Owner{}, "root \"vhosts\" of peer \"old\"");
  ASSERT_TRUE(nobody) << nobody.error().message();
  ASSERT_TRUE(stager_.open(account_, std::make_shared<const OwnerMap>(*nobody)));
  expect_failure(arrive(put(), k_body), ErrorCode::unmapped_owner);
}

TEST_F(Stage, gives_no_file_a_bit_that_lets_others_become_its_owner) {
  auto operation = put();
  operation.result.attributes.mode = 04755;
  const auto staged = arrive(operation, k_body);
  ASSERT_TRUE(staged);
  ASSERT_TRUE(*staged);
  ASSERT_TRUE((*staged)->lesser_mode);
  EXPECT_EQ(*(*staged)->lesser_mode & 07000, 0u);
}

TEST_F(Stage, ends_the_connection_for_what_the_protocol_does_not_allow) {
  Stager fresh;
  expect_violation(fresh.operation({.sequence = 1, .operation = put()}, names_));
  expect_violation(stager_.body({.piece = "a body of nothing", .last = true}));
  ASSERT_TRUE(arrive(put(), std::string_view(k_body).substr(0, 5), true));
  expect_violation(arrive(put(), k_body));
  EXPECT_FALSE(stager_.open(account_, owners_)) << "in the middle of a body";
}

TEST_F(Stage, ends_the_connection_for_numbers_that_do_not_rise) {
  ASSERT_TRUE(arrive(put(), k_body));
  expect_violation(stager_.operation({.sequence = sequence_, .operation = put(), .piece = k_body}, names_));
}

TEST_F(Stage, ends_the_connection_for_a_body_with_an_operation_that_has_none) {
  sync::Operation removal;
  removal.kind = OperationKind::remove;
  removal.from = {"", sync::Area::cur, "1.x:2,S"};
  expect_violation(arrive(removal, "a body"));
}

class Delta : public Stage {
 protected:
  Delta() {
    before_ = std::string(20'000, 'a') + std::string(20'000, 'b');
    after_ = before_ + "3 another line\n";
    tree_.file("anna/dovecot-uidlist", before_);
    basis_ = digest_of(before_);
    operation_ = put(after_);
    operation_.kind = OperationKind::put_control;
    operation_.to = {"", sync::Area::folder, "dovecot-uidlist"};
    operation_.result.area = sync::Area::folder;
    operation_.result.name = "dovecot-uidlist";
    const auto signature = codec::signature(os::Content(before_));
    EXPECT_TRUE(signature);
    const auto delta = codec::delta(*signature, os::Content(after_));
    EXPECT_TRUE(delta);
    delta_ = *delta;
  }

  std::string before_, after_, delta_;
  sync::Operation operation_;
};

TEST_F(Delta, makes_the_file_of_the_one_that_is_there) {
  const auto staged = arrive(operation_, delta_);
  ASSERT_TRUE(staged) << staged.error().message();
  ASSERT_TRUE(*staged);
  ASSERT_FALSE((*staged)->error) << (*staged)->error->message();
  EXPECT_EQ((*staged)->bytes, after_.size());
  EXPECT_LT(delta_.size(), after_.size() / 10);
}

TEST_F(Delta, asks_for_the_whole_file_where_another_one_is_there) {
  tree_.file("anna/dovecot-uidlist", "of a Dovecot here");
  expect_failure(arrive(operation_, delta_), ErrorCode::basis_mismatch);
  tree_.remove("anna/dovecot-uidlist");
  expect_failure(arrive(operation_, delta_), ErrorCode::basis_mismatch);
}

TEST_F(Delta, that_is_damaged_fails_alone) {
  auto damaged = delta_;
  damaged[0] = static_cast<char>(damaged[0] + 1);
  const auto staged = arrive(operation_, damaged);
  ASSERT_TRUE(staged);
  ASSERT_TRUE(*staged);
  EXPECT_TRUE((*staged)->error);
}

}  // namespace
}  // namespace maildirsync::daemon
