#include "common/codec/delta.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/codec/digest.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::codec {
namespace {

using maildirsync::testing::Tree;

/// A basis as a receiver has it: a file.
class Basis {
 public:
  explicit Basis(const std::string& content)
      : fd_(::open(tree_.file("basis", content).path("basis").c_str(), O_RDONLY)) {}
  Result<std::string> patch(std::string_view delta, std::uint64_t limit = 100'000'000) const {
    std::string out;
    auto result = codec::patch(fd_.get(), delta, limit, [&](std::string_view bytes) -> Result<> {
      out.append(bytes);
      return {};
    });
    if (!result) return Failure(result.error());
    return out;
  }
  int fd() const { return fd_.get(); }

 private:
  Tree tree_;
  os::Fd fd_;
};

std::string uidlist(int lines) {
  std::string text = "3 V1700000000 N5000 Gabc\n";
  for (int i = 1; i <= lines; ++i)
    text += std::to_string(i) + " W" + std::to_string(i * 7) + " :17.M" + std::to_string(i * 31) + ".host\n";
  return text;
}

/// The delta of a target that begins with its basis.
std::string appended(std::size_t basis_size, const std::string& target) {
  const auto around = delta_of_appended(basis_size, target.size());
  return around.head + target.substr(basis_size) + around.tail;
}

TEST(Delta, of_an_append_is_small) {
  const std::string before = uidlist(20'000);
  const std::string after = before + "20001 :17.M1.host\n";
  const auto made = delta(signature(before).value(), after);
  ASSERT_TRUE(made);
  EXPECT_LT(made->size(), 5'000u);
  EXPECT_EQ(Basis(before).patch(*made).value(), after);
}

TEST(Delta, works_from_and_to_nothing) {
  EXPECT_EQ(Basis("").patch(delta(signature("").value(), "hello").value()).value(), "hello");
  EXPECT_EQ(Basis("hello").patch(delta(signature("hello").value(), "").value()).value(), "");
  EXPECT_EQ(Basis("").patch(delta(signature("").value(), "").value()).value(), "");
}

RC_GTEST_PROP(Delta, rebuilds_the_target_after_any_edits, ()) {
  const std::string before = uidlist(*rc::gen::inRange(0, 400));
  std::string after = before;
  const auto edits = *rc::gen::arbitrary<std::vector<std::tuple<std::uint32_t, std::uint8_t, std::string>>>();
  for (const auto& [at, erase, insert] : edits) {
    const std::size_t position = at % (after.size() + 1);
    after.replace(position, std::min<std::size_t>(erase, after.size() - position), insert);
  }
  const auto made = delta(signature(before).value(), after);
  RC_ASSERT(made.has_value());
  RC_ASSERT(Basis(before).patch(*made).value() == after);
}

RC_GTEST_PROP(Delta, of_an_append_needs_no_signature, ()) {
  const std::string before = uidlist(*rc::gen::inRange(0, 400));
  const std::string after = before + *rc::gen::arbitrary<std::string>();
  RC_ASSERT(Basis(before).patch(appended(before.size(), after)).value() == after);
}

TEST(Delta, of_an_append_is_what_was_appended) {
  const std::string before = uidlist(20'000);
  EXPECT_LT(appended(before.size(), before + "20001 :17.M1.host\n").size(), 64u);
}

RC_GTEST_PROP(Delta, a_signature_grows_with_its_basis, ()) {
  std::string content = uidlist(*rc::gen::inRange(0, 400));
  std::string grown = signature(content).value();
  for (const auto& more : *rc::gen::arbitrary<std::vector<std::string>>()) {
    const std::size_t size = content.size();
    content += more;
    grown = signature_of_appended(grown, size, content).value();
  }
  const std::string fresh = signature(content).value();
  if (grown.substr(0, 12) == fresh.substr(0, 12)) RC_ASSERT(grown == fresh);  // with blocks of the same length
  const std::string after = "1" + content + "2";
  RC_ASSERT(Basis(content).patch(delta(grown, after).value()).value() == after);
}

TEST(Delta, a_signature_that_has_grown_out_of_its_blocks_is_made_anew) {
  const std::string before = uidlist(10);
  const std::string after = before + uidlist(50'000);
  EXPECT_EQ(signature_of_appended(signature(before).value(), before.size(), after).value(), signature(after).value());
  EXPECT_EQ(signature_of_appended("garbage", 3, after).error().code, ErrorCode::io);
}

TEST(Delta, does_not_move_the_offset_of_the_basis) {
  const std::string before = uidlist(100);
  const Basis basis(before);
  ASSERT_EQ(::lseek(basis.fd(), 17, SEEK_SET), 17);
  EXPECT_EQ(basis.patch(delta(signature(before).value(), before).value()).value(), before);
  EXPECT_EQ(::lseek(basis.fd(), 0, SEEK_CUR), 17);
}

TEST(Delta, cannot_make_more_than_its_limit) {
  const std::string before = uidlist(1000);
  const auto made = delta(signature(before).value(), before).value();
  EXPECT_EQ(Basis(before).patch(made, before.size()).value(), before);
  EXPECT_EQ(Basis(before).patch(made, before.size() - 1).error().code, ErrorCode::too_big);
}

TEST(Delta, stops_when_the_sink_fails) {
  const Basis basis(uidlist(10));
  const auto made = delta(signature(uidlist(10)).value(), "hello").value();
  const auto result = patch(basis.fd(), made, 1000, [](std::string_view) -> Result<> {
    return failure(ErrorCode::no_space, "f", "the disk is full");
  });
  EXPECT_EQ(result.error().code, ErrorCode::no_space);
}

TEST(Delta, that_is_cut_or_goes_on_is_a_violation) {
  const std::string before = uidlist(100);
  const auto made = delta(signature(before).value(), before + "more").value();
  EXPECT_EQ(Basis(before).patch(made.substr(0, made.size() - 1)).error().code, ErrorCode::protocol);
  EXPECT_EQ(Basis(before).patch(made + "x").error().code, ErrorCode::protocol);
  EXPECT_EQ(Basis(before).patch("").error().code, ErrorCode::protocol);
}

TEST(Delta, that_copies_from_beyond_the_basis_is_an_error) {
  const auto made = delta(signature(uidlist(1000)).value(), uidlist(1000)).value();
  EXPECT_FALSE(Basis("short").patch(made));
}

RC_GTEST_PROP(Delta, of_garbage_is_an_error_or_bounded, (const std::string& garbage)) {
  static const Basis basis(uidlist(100));
  const auto result = basis.patch(std::string("rs\x02\x36", 4) + garbage, 10'000);
  RC_ASSERT(!result || result->size() <= 10'000u);
}

RC_GTEST_PROP(Delta, refuses_a_signature_of_garbage, (const std::string& garbage)) {
  RC_PRE(!garbage.starts_with("rs"));
  RC_ASSERT(delta(garbage, "hello").error().code == ErrorCode::io);
}

TEST(Delta, refuses_a_signature_whose_header_lies) {
  auto changed = [](std::size_t at, char byte) {
    std::string text = signature(uidlist(100)).value();
    text[at] = byte;
    return delta(text, "hello");
  };
  EXPECT_FALSE(changed(3, '\x36'));   // MD4
  EXPECT_FALSE(changed(4, '\x7f'));   // blocks of 2 GiB
  EXPECT_FALSE(changed(11, '\x08'));  // short sums
  EXPECT_FALSE(delta(signature(uidlist(100)).value() + "x", "hello"));
}

TEST(Digest, is_the_canonical_xxh3) {
  EXPECT_EQ(to_hex(digest("")), "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing, from xxhsum -H2
  EXPECT_NE(digest("a"), digest("b"));
}

RC_GTEST_PROP(Digest, is_the_same_piece_by_piece, (const std::vector<std::string>& pieces)) {
  Digester digester;
  std::string whole;
  for (const auto& piece : pieces) {
    digester.update(piece);
    whole += piece;
  }
  RC_ASSERT(digester.finish() == digest(whole));
}

TEST(Delta, comes_in_pieces_of_any_size) {
  const std::string before(300'000, 'b');
  const std::string after = "begin" + before.substr(0, 200'000) + std::string(90'000, 'x');
  const auto made = delta(signature(before).value(), after).value();
  for (const std::size_t piece : {1UL, 7UL, 1000UL, 65'536UL, made.size()}) {
    Basis basis(before);
    std::string target;
    Patcher patcher(basis.fd(), after.size(), [&](std::string_view bytes) {
      target += bytes;
      return Result<>{};
    });
    for (std::size_t at = 0; at < made.size(); at += piece)
      ASSERT_TRUE(patcher.feed(std::string_view(made).substr(at, piece))) << piece;
    ASSERT_TRUE(patcher.finish()) << piece;
    EXPECT_TRUE(target == after) << piece;
  }
}

TEST(Delta, is_given_up_when_it_gets_too_long) {
  const auto known = signature(std::string(10'000, 'a')).value();
  const std::string other(10'000, 'b');
  EXPECT_EQ(delta(known, other, 5000).error().code, ErrorCode::too_big);
  EXPECT_TRUE(delta(known, other, 20'000));
}

TEST(Signature, of_a_file_is_that_of_its_bytes) {
  std::string content;
  for (int i = 0; i < 60'000; ++i)
    content += std::to_string(i) + "\n";
  const Basis file(content + "appended later");
  EXPECT_EQ(signature(os::Content(file.fd(), content.size(), "file")).value(), signature(content).value());
  EXPECT_EQ(signature(os::Content(file.fd(), content.size() + 100, "file")).error().code,
            ErrorCode::changed_while_read);
}

}  // namespace
}  // namespace maildirsync::codec
