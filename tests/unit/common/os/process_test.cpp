#include "common/os/process.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace maildirsync::os {
namespace {

TEST(Process, this_one_runs) {
  EXPECT_TRUE(is_running(this_process()));
  EXPECT_EQ(number_of_process(this_process()), ::getpid());
}

TEST(Process, one_that_ended_runs_no_more) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const std::string name = name_of_process(child);
  EXPECT_TRUE(is_running(name));
  ::kill(child, SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(is_running(name));  // before its parent has asked
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(is_running(name));
}

TEST(Process, another_of_the_same_number_is_not_it) {
  const std::string name = this_process();
  const auto first = name.find(':'), second = name.find(':', first + 1);
  EXPECT_FALSE(is_running(name.substr(0, first) + ":1" + name.substr(second)));
  EXPECT_FALSE(is_running(name.substr(0, second) + ":another-boot"));
}

TEST(Process, what_is_not_a_name_runs_not) {
  for (const char* name : {"", "1", "1:", "x:1:2", ":::", "-1:2:3", "99999999999999999999:1:2"}) {
    EXPECT_FALSE(is_running(name)) << name;
    EXPECT_FALSE(is_running(std::string(name) + ":x"));
  }
}

}  // namespace
}  // namespace maildirsync::os
