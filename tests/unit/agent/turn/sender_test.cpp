#include "agent/turn/sender.h"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "common/codec/delta.h"
#include "common/codec/digest.h"
#include "common/wire/convert.h"
#include "tests/unit/agent/turn/frames.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::agent {
namespace {

using maildirsync::testing::Tree;
using sync::Area;
using sync::Operation;
using sync::OperationKind;

/// An account "a" of a root, and a lane on which nothing is compressed.
class SenderTest : public ::testing::Test {
 protected:
  SenderTest() {
    root_.maildir("a").maildir("a/.Sent");
    transfer_.compression = config::Compression::off;
    sender_.begin(outbox_.open(), transfer_);
    account_ = state_->account("root", "a").value();
  }

  /// The frames of a turn of these operations.
  std::vector<wire::Frame> send_whole(std::vector<Operation> operations) {
    turn_ = std::make_shared<Turn>();
    turn_->order.account = account_;
    turn_->order.root_name = "root";
    turn_->order.account_path = turn_->order.account_name = "a";
    turn_->order.root = std::make_shared<const os::Directory>(root_.open());
    const auto directory = turn_->order.root->open_directory("a").value();
    EXPECT_TRUE(sender_.send(turn_, directory, std::move(operations), snapshots_, {}));
    auto frames = testing::Frames().of(outbox_.take().bytes);
    std::erase_if(frames,
                  [](const wire::Frame& frame) { return !frame.header.has_operation() && !frame.header.has_body(); });
    return frames;
  }
  std::vector<wire::Frame> send(std::vector<Operation> operations) {
    auto frames = send_whole(std::move(operations));
    std::erase_if(frames, [](const wire::Frame& frame) { return !frame.header.has_operation(); });
    return frames;
  }

  using Lines = std::vector<std::string>;
  Lines sent(std::vector<Operation> operations) {
    Lines lines;
    for (const auto& frame : send(std::move(operations))) {
      const auto operation = wire::from_wire(frame.header.operation()).value();
      lines.push_back(std::string(name_of(operation.kind)) + " " +
                      path_of(operation.kind == OperationKind::remove ? operation.from : operation.to));
    }
    return lines;
  }

  sync::Entry entry_of(const std::string& path) const {
    const auto status = root_.status("a/" + path);
    const auto at = location_of(path);
    sync::Entry entry;
    entry.area = at.area;
    entry.name = at.name;
    entry.inode = status.st_ino;
    entry.size = static_cast<std::uint64_t>(status.st_size);
    entry.mtime = os::nanoseconds(status.st_mtim);
    return entry;
  }
  Operation put(const std::string& path) const {
    const auto at = location_of(path);
    return {.kind = at.area == Area::folder ? OperationKind::put_control : OperationKind::put,
            .to = at,
            .result = entry_of(path)};
  }
  Operation remove(const std::string& path) const {
    return {.kind = OperationKind::remove, .from = location_of(path), .expected = entry_of(path)};
  }

  Tree root_, state_directory_;
  std::unique_ptr<State> state_ = State::open(state_directory_.path()).value();
  AccountId account_ = 0;
  Totals totals_;
  config::Transfer transfer_;
  Outbox outbox_{[] {}};
  Sender sender_{outbox_, *state_, totals_};
  Snapshots snapshots_{location_less};
  std::shared_ptr<Turn> turn_;
};

class SenderHoldsBack : public SenderTest {
 protected:
  SenderHoldsBack() {
    root_.message("a/cur/1.x:2,").message("a/cur/2.x:2,").message("a/new/3.x");
    root_.file("a/dovecot-uidlist", "1 :1.x\n").file("a/.Sent/dovecot-uidlist", "1 :1.x\n");
    operations_ = {put("cur/1.x:2,"), put("cur/2.x:2,"), remove("new/3.x"), put("dovecot-uidlist"),
                   put(".Sent/dovecot-uidlist")};
    snapshots_[location_of("dovecot-uidlist")].content = "1 :1.x\n";
  }

  /// Another look finds out what became of the message, and sends the rest behind it.
  void expect_only_the_other_message() {
    EXPECT_EQ(sent(operations_), Lines({"put cur/2.x:2,"}));
    const auto& again = turn_->report.again.folders;
    EXPECT_TRUE(again.contains("") && again.at("").everything);
    EXPECT_TRUE(again.contains(".Sent") && again.at(".Sent").everything);
  }

  std::vector<Operation> operations_;
};

TEST_F(SenderHoldsBack, nothing_while_every_message_is_sent) {
  EXPECT_EQ(sent(operations_), Lines({"put cur/1.x:2,", "put cur/2.x:2,", "remove new/3.x",
                                      "put_control dovecot-uidlist", "put_control .Sent/dovecot-uidlist"}));
  EXPECT_TRUE(turn_->report.again.empty());
}

TEST_F(SenderHoldsBack, what_follows_messages_behind_one_that_vanished) {
  root_.remove("a/cur/1.x:2,");
  expect_only_the_other_message();
}

TEST_F(SenderHoldsBack, what_follows_messages_behind_one_that_changed) {
  root_.mtime("a/cur/1.x:2,", 1'600'000'000'000'000'000);  // of equal length
  expect_only_the_other_message();
}

TEST_F(SenderHoldsBack, nothing_of_the_next_job) {
  root_.remove("a/cur/1.x:2,");
  sent(operations_);
  EXPECT_EQ(sent({put("cur/2.x:2,"), put("dovecot-uidlist")}),
            Lines({"put cur/2.x:2,", "put_control dovecot-uidlist"}));
}

/// A list that was acknowledged, and has another content now.
class SenderControlFile : public SenderTest {
 protected:
  static std::string list(int first, int count) {
    std::string content = "3 V1 N9 Gabc\n";
    for (int uid = first; uid < first + count; ++uid)
      content += std::to_string(uid) + " :1700000000.M" + std::to_string(uid * 7919) + "P1.mx\n";
    return content;
  }

  enum class Delta : std::uint8_t { never, when_signed, always };

  /// At the destination, whose file is `before`, whether or not the state has its signature; and the signature that is
  /// kept is that of `after`.
  void expect_arrives(const std::string& before, const std::string& after, Delta delta) {
    root_.file("a/dovecot-uidlist", before).file("after", after);
    const auto at = location_of("dovecot-uidlist");
    Operation known = put("dovecot-uidlist");
    known.result.digest = codec::digest(before);
    for (const bool is_signed : {false, true}) {
      SCOPED_TRACE(is_signed ? "with a signature" : "without a signature");
      ASSERT_TRUE(state_->forget_content(account_, at));
      ASSERT_TRUE(state_->apply(account_, {{.kind = OperationKind::make_folder, .folder_inode = 7}, known}));
      if (is_signed) {
        ASSERT_TRUE(state_->set_signature(account_, at, codec::signature(before).value()));
      }
      Operation changed = known;
      changed.expected = known.result;
      changed.result.size = after.size();
      changed.result.digest.reset();
      snapshots_[at].content = after;
      const auto frames = send({changed});
      ASSERT_EQ(frames.size(), 1u);
      const auto& operation = frames[0].header.operation();
      EXPECT_EQ(operation.basis().empty(), delta == Delta::never || (delta == Delta::when_signed && !is_signed));
      EXPECT_TRUE(arrived(operation, frames[0].payload) == after);
      ASSERT_EQ(turn_->report.signatures.size(), 1u);
      const auto back = codec::delta(turn_->report.signatures[0].second, before);
      ASSERT_TRUE(back);
      EXPECT_TRUE(patched("after", *back) == before);
    }
  }

  std::string arrived(const wire::Operation& operation, const std::string& payload) const {
    return operation.basis().empty() ? payload : patched("a/dovecot-uidlist", payload);
  }
  std::string patched(const std::string& basis, std::string_view delta) const {
    const os::Fd fd(::open(root_.path(basis).c_str(), O_RDONLY | O_CLOEXEC));
    std::string target;
    const auto done = codec::patch(fd.get(), delta, 1 << 20, [&](std::string_view bytes) {
      target += bytes;
      return Result<>{};
    });
    return done ? target : done.error().message();
  }
};

/// Two names of one message, which the plan sends as a put and a link to it.
class SenderLinks : public SenderTest {
 protected:
  SenderLinks() {
    root_.message("a/cur/1.x:2,");
    std::filesystem::create_hard_link(root_.path("a/cur/1.x:2,"), root_.path("a/.Sent/cur/2.x:2,"));
  }
  Operation link() const {
    return {.kind = OperationKind::link,
            .from = location_of("cur/1.x:2,"),
            .to = location_of(".Sent/cur/2.x:2,"),
            .expected = entry_of("cur/1.x:2,"),
            .result = entry_of(".Sent/cur/2.x:2,")};
  }
};

TEST_F(SenderLinks, are_links_of_what_was_sent) {
  EXPECT_EQ(sent({put("cur/1.x:2,"), link()}), (Lines{"put cur/1.x:2,", "link .Sent/cur/2.x:2,"}));
}

TEST_F(SenderLinks, of_what_moved_away_wait_for_the_next_look) {
  auto first = put("cur/1.x:2,");
  auto second = link();
  std::filesystem::rename(root_.path("a/cur/1.x:2,"), root_.path("a/cur/1.x:2,S"));
  EXPECT_EQ(sent({first, second}), Lines{});
  EXPECT_TRUE(turn_->report.again.folders[first.to.folder].everything);
  EXPECT_TRUE(turn_->report.again.folders[second.to.folder].everything);
}

TEST_F(SenderControlFile, that_grew_arrives_as_what_was_appended) {
  const auto before = list(1, 200);
  expect_arrives(before, before + list(201, 3), Delta::always);
}

TEST_F(SenderControlFile, that_was_written_anew_and_longer_is_not_taken_for_one_that_grew) {
  expect_arrives(list(1, 200), list(1000, 400), Delta::never);
}

TEST_F(SenderControlFile, that_was_written_anew_in_equal_length_is_not_taken_for_one_that_grew) {
  expect_arrives(list(1000, 200), list(3000, 200), Delta::never);
}

TEST_F(SenderControlFile, that_grew_and_has_another_beginning_is_not_taken_for_one_that_only_grew) {
  const auto before = list(1000, 400);
  auto after = before + list(2000, 20);
  after[after.find("N9") + 1] = '7';  // the next UID, in the header
  expect_arrives(before, after, Delta::when_signed);
}

/// A control file that is read again when it is sent, for it is too large to keep.
class SenderLargeControlFile : public SenderControlFile {
 protected:
  SenderLargeControlFile() { root_.file("a/dovecot-uidlist", before_); }

  /// As the look saw it.
  Operation seen() {
    Operation operation = put("dovecot-uidlist");
    snapshots_[operation.to].digest = codec::digest(root_.content("a/dovecot-uidlist"));
    return operation;
  }
  void append(const std::string& text) const { std::ofstream(root_.path("a/dovecot-uidlist"), std::ios::app) << text; }

  const std::string before_ = list(1, 400);
};

TEST_F(SenderLargeControlFile, is_sent_as_it_was_seen_though_it_has_grown_since) {
  const auto operation = seen();
  append(list(2000, 3));
  const auto frames = send({operation});
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_TRUE(frames[0].payload == before_);
  EXPECT_EQ(frames[0].header.operation().result().size(), before_.size());
}

TEST_F(SenderLargeControlFile, that_changed_otherwise_since_waits_for_the_next_look) {
  const auto operation = seen();
  auto other = before_;
  other[other.size() / 2] ^= 1;
  root_.file("a/dovecot-uidlist", other);
  EXPECT_TRUE(send({operation}).empty());
  EXPECT_TRUE(turn_->report.again.folders.at("").everything);
}

TEST_F(SenderLargeControlFile, that_another_file_took_the_place_of_waits_for_the_next_look) {
  const auto operation = seen();
  root_.file("a/other", before_ + "more");
  std::filesystem::rename(root_.path("a/other"), root_.path("a/dovecot-uidlist"));
  EXPECT_TRUE(send({operation}).empty());
}

TEST_F(SenderLargeControlFile, longer_than_a_frame_arrives_in_pieces) {
  const auto large = list(1, 20'000);
  root_.file("a/dovecot-uidlist", large);
  std::string arrived;
  for (const auto& frame : send_whole({seen()}))
    arrived += frame.payload;
  EXPECT_TRUE(arrived == large);
}

}  // namespace
}  // namespace maildirsync::agent
