#include "common/os/getent.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/child.h"
#include "common/os/host.h"

namespace maildirsync::os {
namespace {

using namespace std::chrono_literals;

class GetentTest : public testing::Test {
 protected:
  GetentTest() {
    char name[] = "/tmp/maildirsync-getent-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~GetentTest() override { std::filesystem::remove_all(folder_); }

  /// A program that notes how it was called, and then does what the script says.
  std::string program(const std::string& name, const std::string& script) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\necho \"$@\" >>" << folder_ << "/calls\n" << script << '\n';
    ::chmod(path.c_str(), 0755);
    return path;
  }
  std::string calls() const {
    std::ifstream file(folder_ + "/calls");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
};

TEST_F(GetentTest, tells_what_this_machine_knows) {
  Getent getent(Getent::usual_programs());
  const User root{"root", 0, 0};
  EXPECT_EQ(root, getent.user("root"));
  EXPECT_EQ(root, getent.user(0U));
  EXPECT_EQ((Group{"root", 0}), getent.group("root"));
  EXPECT_EQ((Group{"root", 0}), getent.group(0U));
  const auto groups = getent.groups_of("root");
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(0U, groups->front());
  EXPECT_FALSE(getent.user("nobody-has-this-name"));
  EXPECT_FALSE(getent.user(3999999999U));
  EXPECT_FALSE(getent.group("nobody-has-this-name"));
  EXPECT_FALSE(getent.groups_of("nobody-has-this-name"));
}

TEST_F(GetentTest, asks_once_for_what_it_was_told) {
  Getent getent({.getent = program("getent", "echo 'anna:*:70001:70000:Anna:/home/anna:/bin/sh'"), .id = ""});
  EXPECT_EQ((User{"anna", 70001, 70000}), getent.user("anna"));
  EXPECT_EQ((User{"anna", 70001, 70000}), getent.user("anna"));
  EXPECT_EQ("passwd anna\n", calls());
  EXPECT_EQ((User{"anna", 70001, 70000}), getent.user(70001U));
  // Another than the one that was asked for is no answer.
  EXPECT_FALSE(getent.user(70002U));
  EXPECT_EQ("passwd anna\npasswd 70001\npasswd 70002\n", calls());
  EXPECT_FALSE(getent.groups_of("anna"));  // there is no id(1)
}

TEST_F(GetentTest, asks_again_for_one_who_was_not_there) {
  Getent getent({.getent = program("getent", "[ -e " + folder_ + "/made ] && echo 'post:x:70005:anna,bert' || exit 2"),
                 .id = "",
                 .unknown = 0ms});
  EXPECT_FALSE(getent.group("post"));
  std::ofstream(folder_ + "/made") << "";
  EXPECT_EQ((Group{"post", 70005}), getent.group("post"));
}

TEST_F(GetentTest, a_name_is_neither_an_id_nor_an_option) {
  Getent getent({.getent = program("getent", "echo 'x:x:1:1:'"), .id = program("id", "echo 1")});
  for (const std::string& name :
       {std::string("1000"), std::string("-s"), std::string("--service=files"), std::string(), std::string("a:b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string(300, 'a')}) {
    EXPECT_FALSE(getent.user(name)) << name;
    EXPECT_FALSE(getent.group(name)) << name;
    EXPECT_FALSE(getent.groups_of(name)) << name;
  }
  EXPECT_EQ("", calls());
}

TEST_F(GetentTest, a_directory_that_does_not_answer_is_left_alone_for_a_while) {
  Getent getent({.getent = program("getent", "exec sleep 600"), .id = "", .patience = 200ms, .silence = 3600s});
  EXPECT_FALSE(getent.user("anna"));
  EXPECT_FALSE(getent.user("bert"));
  EXPECT_EQ("passwd anna\n", calls());
}

TEST_F(GetentTest, takes_no_line_for_another) {
  EXPECT_EQ((User{"anna@example.org", 70001, 70000}), parse_user("anna@example.org:*:70001:70000:::\nmore\n"));
  EXPECT_EQ((Group{"post", 70005}), parse_group("post:*:70005:\n"));
  EXPECT_EQ((Group{"post", 70005}), parse_group("post:*:70005"));
  for (const char* line :
       {"", "\n", "anna", "anna:*:70001", ":*:1:1:", "anna:*:x:1:", "anna:*:1:-1:", "anna:*:4294967296:1:"})
    EXPECT_FALSE(parse_user(line)) << line;
  for (const char* line : {"", "post", "post:*", ":*:1:", "post:*:x:", "post:*::"})
    EXPECT_FALSE(parse_group(line)) << line;
}

TEST_F(GetentTest, a_child_has_neither_our_environment_nor_our_blocked_signals) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);
  ::setenv("MAILDIRSYNC_OURS", "1", 1);
  const auto child = output_within({"/bin/sh", "-c", "env | cut -d= -f1 | sort; grep SigBlk /proc/self/status"}, 10s);
  ::unsetenv("MAILDIRSYNC_OURS");
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  EXPECT_TRUE(child.in_time);
  EXPECT_EQ(std::string::npos, child.text.find("OURS")) << child.text;
  EXPECT_NE(std::string::npos, child.text.find("LC_ALL")) << child.text;
  EXPECT_NE(std::string::npos, child.text.find("SigBlk:\t0000000000000000")) << child.text;
  EXPECT_EQ(7, output_within({"/bin/sh", "-c", "exit 7"}, 10s).exit_status);
  EXPECT_FALSE(output_within({"/nowhere/at-all"}, 10s).in_time);
  EXPECT_FALSE(output_within({"/bin/sh", "-c", "kill -9 $$"}, 10s).in_time);
}

// What is asked here is this machine's own C library: these programs are none of a bundle.
TEST(NameService, knows_root_by_both) {
  EXPECT_FALSE(is_bundled());
  EXPECT_EQ((User{"root", 0, 0}), find_user("root"));
  EXPECT_EQ("root", user_name(0));
  EXPECT_EQ("root", group_name(0));
  EXPECT_FALSE(find_user("0"));
  EXPECT_FALSE(find_group("nobody-has-this-name"));
  EXPECT_EQ("", user_name(3999999999U));
  EXPECT_EQ(true, is_member(0, 0));
  EXPECT_EQ(false, is_member(0, 3999999999U));
  EXPECT_FALSE(is_member(3999999999U, 0));
}

}  // namespace
}  // namespace maildirsync::os
