#include "common/service/event.h"

#include <gtest/gtest.h>

#include "common/service/journal.h"

namespace maildirsync::service {
namespace {

using namespace std::chrono_literals;

const RepetitionLimit::Time k_start{1000s};
constexpr std::uint64_t k_most = 200;

TEST(EventText, names_the_event_and_then_its_fields) {
  const Event event{Severity::warning, "problem", {{"code", "io-error"}, {"account", "a@example.org"}, {"folder", ""}}};
  EXPECT_EQ(text_of(event), "problem code=io-error account=a@example.org");
}

TEST(EventText, quotes_what_could_be_taken_for_another_field) {
  const Event event{Severity::info, "problem", {{"path", "a account=b"}, {"detail", R"(he said "no\")"}}};
  EXPECT_EQ(text_of(event), R"(problem path="a account=b" detail="he said \"no\\\"")");
}

TEST(JournalField, is_upper_case_letters_digits_and_underscores) {
  EXPECT_EQ(journal_field("account"), "ACCOUNT");
  EXPECT_EQ(journal_field("bytes-source2"), "BYTES_SOURCE2");
}

TEST(MessageId, is_known_for_what_happens_to_an_account) {
  EXPECT_EQ(message_id_of("account-copied").size(), 32U);
  EXPECT_NE(message_id_of("account-copied"), message_id_of("account-started"));
  EXPECT_EQ(message_id_of("nothing"), "");
}

TEST(RepetitionLimit, lets_a_burst_through_and_counts_the_rest) {
  RepetitionLimit limit;
  std::uint64_t said = 0;
  for (std::uint64_t i = 0; i < k_most + 50; ++i)
    said += limit.admit("problem", k_most, k_start + 1s) ? 1U : 0U;
  EXPECT_EQ(said, k_most);
  EXPECT_TRUE(limit.take_suppressed(k_start + 30s).empty());
  const auto suppressed = limit.take_suppressed(k_start + 61s);
  ASSERT_EQ(suppressed.size(), 1U);
  EXPECT_EQ(suppressed[0].what, "problem");
  EXPECT_EQ(suppressed[0].count, 50U);
  EXPECT_TRUE(limit.admit("problem", k_most, k_start + 62s));
  EXPECT_TRUE(limit.take_suppressed(k_start + 200s).empty());
}

TEST(RepetitionLimit, keeps_kinds_apart) {
  RepetitionLimit limit;
  for (std::uint64_t i = 0; i <= k_most; ++i)
    limit.admit("one", k_most, k_start);
  EXPECT_FALSE(limit.admit("one", k_most, k_start));
  EXPECT_TRUE(limit.admit("other", k_most, k_start));
}

TEST(RepetitionLimit, what_is_rare_is_always_said) {
  RepetitionLimit limit;
  for (int i = 0; i < 1000; ++i)
    EXPECT_TRUE(limit.admit("problem", k_most, k_start + i * 1s));
}

}  // namespace
}  // namespace maildirsync::service
