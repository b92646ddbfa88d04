#include "common/config/values.h"

#include <optional>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace maildirsync::config {
namespace {

std::optional<std::uint64_t> rate(const std::string& text) {
  const auto parsed = parse_rate(text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

std::string endpoint(const std::string& text) {
  const auto parsed = parse_endpoint(text);
  return parsed ? parsed->text() : "";
}

TEST(Rate, is_bytes_a_second_with_decimal_and_binary_units) {
  EXPECT_EQ(rate("0"), 0u);
  EXPECT_EQ(rate("1234"), 1234u);
  EXPECT_EQ(rate("7 B/s"), 7u);
  EXPECT_EQ(rate("500k"), 500'000u);
  EXPECT_EQ(rate("500K/s"), 500'000u);
  EXPECT_EQ(rate("20MiB/s"), 20u * 1024 * 1024);
  EXPECT_EQ(rate("20Mi"), 20u * 1024 * 1024);
  EXPECT_EQ(rate("1.5 GB/s"), 1'500'000'000u);
  EXPECT_EQ(rate("0.5KiB"), 512u);
  EXPECT_EQ(rate("2TiB"), 2ULL << 40U);
}

TEST(Rate, refuses_what_may_mean_something_else) {
  for (const auto* text :
       {"",       " ",        "fast", "-1",      "+1",        "MiB",       "1e6",   "inf",        "nan", "0x10",
        "20Mb/s", "20Mbit/s", "20mb", "20MiB/h", "20MiB/s/s", "20 MiB /s", "1,5MB", "99999999TB", "0.1", "1 2"}) {
    EXPECT_EQ(rate(text), std::nullopt) << text;
  }
}

RC_GTEST_PROP(Rate, whole_numbers_are_taken_as_they_are, (std::uint32_t number)) {
  RC_ASSERT(rate(std::to_string(number)) == std::optional<std::uint64_t>(number));
  RC_ASSERT(rate(std::to_string(number) + "KiB/s") == std::optional<std::uint64_t>(number * 1024ULL));
}

TEST(Endpoint, is_a_host_and_a_port) {
  const auto parsed = parse_endpoint("[2001:db8::1]:4465");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->host, "2001:db8::1");
  EXPECT_EQ(parsed->port, 4465);
  for (const auto* text : {"new.example.org:4465", "127.0.0.1:1", "[::]:65535", "[fe80::1%eth0]:4465", "a_b-c:80",
                           "4you:7", "xn--mnchen-3ya.example.:993"}) {
    EXPECT_EQ(endpoint(text), text);
  }
}

TEST(Endpoint, refuses_what_cannot_be_reached) {
  for (const auto* text : {"",
                           ":",
                           "localhost",
                           ":4465",
                           "localhost:",
                           "localhost:0",
                           "localhost:65536",
                           "localhost:-1",
                           "localhost:+1",
                           "localhost: 1",
                           "localhost:1 ",
                           "localhost:https",
                           "::1:4465",
                           "[::1]",
                           "[::1]4465",
                           "[::1:4465",
                           "[]:1",
                           "[localhost]:1",
                           "[127.0.0.1]:1",
                           "[::1%]:1",
                           "::1]:1",
                           "a b:1",
                           "*:4465",
                           "https://a.org:443",
                           "256.0.0.1:1",
                           "1.2.3:4",
                           ".a.org:1",
                           "-a:1"}) {
    EXPECT_EQ(endpoint(text), "") << text;
  }
}

TEST(Endpoint, says_what_to_write) {
  EXPECT_EQ(
      parse_endpoint("::1:4465").error().detail,
      "\"::1:4465\" holds an IPv6 address without brackets; write host:port, such as \"mail.example.org:4465\" or "
      "\"[2001:db8::1]:4465\"");
  EXPECT_TRUE(parse_endpoint("a\nb:1").error().detail.starts_with("\"a\\x0ab:1\" "));
}

TEST(Fingerprint, is_lowered) {
  const std::string digits = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD";
  const auto parsed = parse_fingerprint("sha256:" + digits);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, "sha256:0123456789abcdefabcdef0123456789abcdefabcdef0123456789abcdefabcd");
  for (const auto& text : {digits, "sha1:" + digits, "sha256:" + digits + "0", "sha256:" + digits.substr(1),
                           "sha256:g" + digits.substr(1), " sha256:" + digits}) {
    EXPECT_FALSE(parse_fingerprint(text)) << text;
  }
}

TEST(Path, is_absolute_and_short_enough_for_a_socket) {
  EXPECT_TRUE(parse_absolute_path("/var/mail"));
  EXPECT_FALSE(parse_absolute_path(""));
  EXPECT_FALSE(parse_absolute_path("var/mail"));
  EXPECT_FALSE(parse_absolute_path("~/mail"));
  EXPECT_FALSE(parse_absolute_path(std::string("/a\0b", 4)));
  EXPECT_TRUE(parse_socket_path("/" + std::string(106, 'a')));
  EXPECT_FALSE(parse_socket_path("/" + std::string(107, 'a')));
  EXPECT_FALSE(parse_socket_path("control.sock"));
}

TEST(Name, has_no_control_characters) {
  EXPECT_TRUE(parse_name("Bücher & mehr"));
  EXPECT_FALSE(parse_name(""));
  EXPECT_FALSE(parse_name("a\tb"));
  EXPECT_TRUE(parse_name(std::string(255, 'a')));
  EXPECT_FALSE(parse_name(std::string(256, 'a')));
}

TEST(Words, are_matched_exactly_and_all_are_named) {
  EXPECT_EQ(parse_mode("drain").value(), Mode::drain);
  EXPECT_EQ(parse_watch_backend("auto").value(), WatchBackend::automatic);
  EXPECT_EQ(parse_watch_backend("inotify").value(), WatchBackend::inotify);
  EXPECT_EQ(parse_owner_policy("numeric").value(), OwnerPolicy::numeric);
  EXPECT_EQ(parse_log_level("warning").value(), "warning");
  EXPECT_EQ(parse_mode("Drain").error().detail, "\"Drain\" is not known here; write \"mirror\" or \"drain\"");
}

}  // namespace
}  // namespace maildirsync::config
