#include "common/control/client.h"

#include <array>
#include <atomic>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/common/control/running_server.h"

namespace maildirsync::control {
namespace {

bool contains(const Error& error, const std::string& words) {
  return error.message().find(words) != std::string::npos;
}

TEST(ControlClient, progress_comes_before_the_answer) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json& request, const std::shared_ptr<Reply>& reply) {
    for (int i = 0; i < 3; ++i)
      reply->progress({{"progress", i}});
    reply->finish({{"of", request["command"]}});
  });
  std::vector<int> seen;
  const auto answer = call(
      directory / "s", {{"command", "flush"}}, [&](const Json& json) { seen.push_back(json["progress"]); }, 0);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(*answer, Json({{"of", "flush"}}));
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
}

TEST(ControlClient, a_wait_is_cancelled_by_a_readable_descriptor) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const os::Fd reader(pipe[0]), writer(pipe[1]);
  ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  const auto answer = call(directory / "s", {{"command", "flush"}}, {}, 0, reader.get());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::cancelled);
}

TEST(ControlClient, a_daemon_that_says_nothing_is_given_up_and_the_sentence_says_how_long) {
  const TemporaryDirectory directory;
  const os::Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));  // takes connections as a stopped process does: the kernel does
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (directory / "s").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd.get(), 4), 0);
  const auto answer = call(directory / "s", {{"command", "verify"}}, {}, 0, -1, 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::timed_out);
  EXPECT_TRUE(contains(answer.error(), "has said nothing for 1 s")) << answer.error().message();
}

TEST(ControlClient, a_daemon_that_works_for_long_keeps_its_client) {
  const TemporaryDirectory directory;
  std::shared_ptr<Reply> open;
  std::atomic<int> told{0};
  {
    RunningServer server(directory / "s", [&](const Json&, const std::shared_ptr<Reply>& reply) { open = reply; });
    // It never answers, and is heard all the same: what ends the wait is the time for all of it.
    const auto answer = call(
        directory / "s", {{"command", "verify"}}, [&](const Json&) { ++told; }, 6, -1, 4);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(contains(answer.error(), "did not answer in time")) << answer.error().message();
    EXPECT_EQ(told, 0);  // signs of life are not for people
    server.on_loop([&] {
      open.reset();
      return 0;
    });
  }
}

TEST(ControlClient, a_request_with_bytes_that_are_no_utf_8_is_sent_all_the_same) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  const auto answer = call(directory / "s", {{"command", "status"}, {"account", "caf\xe9"}}, {}, 0);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ((*answer)["echo"]["account"], "caf\xef\xbf\xbd");
}

TEST(ControlClient, a_missing_socket_is_named_with_the_service_to_look_at) {
  const TemporaryDirectory directory;
  const auto agent = call(directory / "maildirsync-agent.sock", {{"command", "status"}}, {}, 0);
  ASSERT_FALSE(agent);
  EXPECT_EQ(agent.error().code, ErrorCode::unreachable);
  EXPECT_TRUE(contains(agent.error(), directory / "maildirsync-agent.sock")) << agent.error().message();
  EXPECT_TRUE(contains(agent.error(), "systemctl status maildirsync-agent")) << agent.error().message();
  const auto receiver = call(directory / "maildirsyncd.sock", {{"command", "status"}}, {}, 0);
  ASSERT_FALSE(receiver);
  EXPECT_TRUE(contains(receiver.error(), "systemctl status maildirsyncd")) << receiver.error().message();
}

TEST(ControlClient, nobody_who_listens_is_unreachable) {
  const TemporaryDirectory directory;
  const os::Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (directory / "s").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto answer = call(directory / "s", {{"command", "status"}}, {}, 0);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::unreachable);
  EXPECT_TRUE(contains(answer.error(), "nobody listens")) << answer.error().message();
}

TEST(ControlClient, missing_permission_says_who_may) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod((directory / "s").c_str(), 0), 0);
  const uid_t user = ::geteuid();
  if (user == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const auto answer = call(directory / "s", {{"command", "status"}}, {}, 0);
  ASSERT_EQ(::seteuid(user), 0);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::unreachable);
  EXPECT_TRUE(contains(answer.error(), "run as root or as a member of the group that owns " + (directory / "s")))
      << answer.error().message();
}

TEST(ControlClient, a_daemon_that_does_not_answer_ends_the_wait) {
  const TemporaryDirectory directory;
  std::shared_ptr<Reply> held;
  const RunningServer server(directory / "s", [&](const Json& request, std::shared_ptr<Reply> reply) {
    if (request.value("command", "") != "let go") {
      held = std::move(reply);
      return;
    }
    held.reset();
    reply->finish({{"ok", true}});
  });
  const auto answer = call(directory / "s", {{"command", "status"}}, {}, 0.05);
  // A reply must not outlive its server's loop.
  EXPECT_TRUE(call(directory / "s", {{"command", "let go"}}, {}, 0));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::timed_out);
}

TEST(ControlClient, a_daemon_that_ends_meanwhile_is_unreachable) {
  const TemporaryDirectory directory;
  asio::io_context loop;
  std::shared_ptr<Reply> held;
  auto server = Server::listen(loop, directory / "s", hold_and_stop(held, loop));
  ASSERT_TRUE(server);
  std::thread daemon([&] {
    loop.run();
    server->reset();
  });
  const auto answer = call(directory / "s", {{"command", "status"}}, {}, 0);
  daemon.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::unreachable);
  EXPECT_TRUE(contains(answer.error(), directory / "s")) << answer.error().message();
}

TEST(ControlClient, something_else_that_answers_is_no_daemon_of_ours) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json&, const std::shared_ptr<Reply>& reply) {
    reply->finish("220 mail.example.org ESMTP");
  });
  const auto answer = call(directory / "s", {{"command", "status"}}, {}, 0);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::protocol);
}

}  // namespace
}  // namespace maildirsync::control
