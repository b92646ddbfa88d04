#include "common/net/identity.h"

#include <array>
#include <cstdio>

#include <gtest/gtest.h>

#include "tests/unit/support/tree.h"

namespace maildirsync::net {
namespace {

using maildirsync::testing::Tree;

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 256> buffer{};
  while (::fgets(buffer.data(), buffer.size(), pipe) != nullptr)
    text += buffer.data();
  ::pclose(pipe);
  return text;
}

TEST(Identity, makes_a_private_key_and_a_public_certificate) {
  const Tree tree;
  const auto made = generate_identity(tree.path("agent"), "old.example.org");
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(tree.status("agent.key").st_mode & 07777, 0600u);
  EXPECT_EQ(tree.status("agent.crt").st_mode & 07777, 0644u);
  EXPECT_EQ(fingerprint_of_file(tree.path("agent.crt")).value(), *made);
}

TEST(Identity, has_the_fingerprint_that_openssl_computes) {
  const Tree tree;
  const auto made = generate_identity(tree.path("agent"), "old.example.org");
  ASSERT_TRUE(made);
  const std::string printed = output_of("openssl x509 -in " + tree.path("agent.crt") +
                                        " -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum");
  ASSERT_GE(printed.size(), 64u);
  EXPECT_EQ(*made, "sha256:" + printed.substr(0, 64));
}

TEST(Identity, bears_its_name) {
  const Tree tree;
  ASSERT_TRUE(generate_identity(tree.path("agent"), "old.example.org"));
  EXPECT_NE(output_of("openssl x509 -in " + tree.path("agent.crt") + " -noout -subject").find("old.example.org"),
            std::string::npos);
}

TEST(Identity, overwrites_no_key_and_leaves_no_half) {
  Tree tree;
  tree.file("a.key", "precious").file("b.crt", "precious");
  EXPECT_EQ(generate_identity(tree.path("a"), "x").error().code, ErrorCode::exists);
  EXPECT_EQ(generate_identity(tree.path("b"), "x").error().code, ErrorCode::exists);
  EXPECT_EQ(tree.content("a.key"), "precious");
  EXPECT_EQ(tree.content("b.crt"), "precious");
  EXPECT_FALSE(tree.exists("a.crt"));
  EXPECT_FALSE(tree.exists("b.key"));
}

TEST(Identity, differs_each_time) {
  const Tree tree;
  EXPECT_NE(generate_identity(tree.path("a"), "x").value(), generate_identity(tree.path("b"), "x").value());
}

TEST(Identity, refuses_a_name_that_a_certificate_cannot_bear) {
  const Tree tree;
  EXPECT_EQ(generate_identity(tree.path("a"), std::string(65, 'x')).error().code, ErrorCode::tls);
  EXPECT_FALSE(tree.exists("a.key"));
}

TEST(Fingerprint, of_what_is_no_certificate_is_an_error_that_names_the_file) {
  Tree tree;
  tree.file("not.crt", "hello");
  const auto result = fingerprint_of_file(tree.path("not.crt"));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find(tree.path("not.crt")), std::string::npos);
  EXPECT_EQ(fingerprint_of_file(tree.path("none.crt")).error().code, ErrorCode::vanished);
}

}  // namespace
}  // namespace maildirsync::net
