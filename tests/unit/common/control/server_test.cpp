#include "common/control/server.h"

#include <fstream>
#include <future>
#include <vector>

#include "tests/unit/common/control/running_server.h"

namespace maildirsync::control {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat file {};
  return ::lstat(path.c_str(), &file) == 0 ? file.st_mode & 07777U : 0;
}

/// What a daemon leaves that was killed.
void leave_stale_socket(const std::string& path) {
  const os::Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

std::string code_of(const std::string& line) {
  return Json::parse(line)["error"]["code"];
}

TEST(ControlServer, a_request_gets_its_answer_and_then_the_next_one) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n{\"command\":\"b\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"a"}})");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"b"}})");
  client.say("{\"command\":\"c\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"c"}})");
}

TEST(ControlServer, the_socket_has_mode_0660_and_its_new_directory_0755_whatever_the_umask) {
  for (const mode_t mask : {0000, 0022, 0077}) {
    const TemporaryDirectory directory;
    const mode_t before = ::umask(mask);
    const RunningServer server(directory / "new/s", echo);
    ::umask(before);
    EXPECT_EQ(mode_of(directory / "new/s"), 0660U) << mask;
    EXPECT_EQ(mode_of(directory / "new"), 0755U) << mask;
  }
}

TEST(ControlServer, a_directory_that_is_there_keeps_its_mode) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  EXPECT_EQ(mode_of(directory.path()), 0700U);
}

TEST(ControlServer, a_stale_socket_is_replaced) {
  const TemporaryDirectory directory;
  leave_stale_socket(directory / "s");
  const RunningServer server(directory / "s", echo);
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"a"}})");
}

TEST(ControlServer, a_socket_that_answers_is_refused_and_goes_on_answering) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  asio::io_context loop;
  const auto second = Server::listen(loop, directory / "s", echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::exists);
  EXPECT_NE(second.error().message().find(directory / "s"), std::string::npos);
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"a"}})");
}

TEST(ControlServer, a_file_that_is_no_socket_is_never_removed) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "s") << "mail";
  asio::io_context loop;
  const auto server = Server::listen(loop, directory / "s", echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::exists);
  EXPECT_EQ(std::filesystem::file_size(directory / "s"), 4U);
}

TEST(ControlServer, a_path_that_no_socket_can_have_is_a_wrong_configuration) {
  asio::io_context loop;
  const auto server = Server::listen(loop, "/" + std::string(200, 'x'), echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::config);
}

TEST(ControlServer, the_socket_goes_with_the_server_but_not_one_that_replaced_it) {
  const TemporaryDirectory directory;
  { const RunningServer server(directory / "s", echo); }
  EXPECT_FALSE(std::filesystem::exists(directory / "s"));
  {
    const RunningServer server(directory / "s", echo);
    std::filesystem::rename(directory / "s", directory / "moved");
    leave_stale_socket(directory / "s");
  }
  EXPECT_TRUE(std::filesystem::exists(directory / "s"));
}

TEST(ControlServer, garbage_is_answered_with_usage_and_dropped_and_hurts_nobody) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  for (const std::string& garbage :
       {std::string("\n"), std::string("{\n"), std::string("[]\n"), std::string("{\"command\":7}\n"),
        std::string("\xff\xfe\n"), std::string("{}\n"), std::string(100'000, 'x'), std::string(60'000, '[') + "\n"}) {
    RawClient client(directory / "s");
    client.say(garbage);
    const std::string said = client.hear_all();
    EXPECT_EQ(code_of(said), "usage") << garbage.substr(0, 20);
  }
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"a"}})");
}

TEST(ControlServer, a_line_of_64_kib_is_still_a_request) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  RawClient client(directory / "s");
  std::string request = R"({"command":"a","x":")";
  request += std::string(64 * 1024 - request.size() - 2, 'x') + "\"}";
  client.say(request + "\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":)" + request + "}");
}

TEST(ControlServer, a_value_of_a_wrong_type_is_the_clients_error) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json& request, const std::shared_ptr<Reply>& reply) {
    reply->finish({{"timeout", request.value("timeout", 0.0)}});
  });
  RawClient client(directory / "s");
  client.say("{\"command\":\"flush\",\"timeout\":\"soon\"}\n");
  EXPECT_EQ(code_of(client.hear_line()), "usage");
}

TEST(ControlServer, a_client_that_only_stopped_sending_gets_its_answers) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n{\"command\":\"b\"}\n");
  client.say_no_more();
  EXPECT_EQ(client.hear_all(), "{\"echo\":{\"command\":\"a\"}}\n{\"echo\":{\"command\":\"b\"}}\n");
}

TEST(ControlServer, a_reply_is_unwanted_once_the_client_hangs_up) {
  const TemporaryDirectory directory;
  std::promise<std::shared_ptr<Reply>> asked;
  RunningServer server(directory / "s",
                       [&](const Json&, std::shared_ptr<Reply> reply) { asked.set_value(std::move(reply)); });
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  auto reply = asked.get_future().get();
  EXPECT_TRUE(server.on_loop([&] { return reply->wanted(); }));
  client.say_no_more();
  EXPECT_TRUE(server.on_loop([&] { return reply->wanted(); }));
  client.hang_up();
  EXPECT_FALSE(server.on_loop([&] { return reply->wanted(); }));
  server.on_loop([&] {
    reply->progress({{"progress", 1}});
    reply->finish({{"ok", true}});
    reply.reset();
  });
}

TEST(ControlServer, a_client_that_does_not_read_is_dropped_before_much_is_kept_for_it) {
  const TemporaryDirectory directory;
  std::promise<std::size_t> sent;
  RunningServer server(directory / "s", [&](const Json&, const std::shared_ptr<Reply>& reply) {
    std::size_t bytes = 0;
    while (reply->wanted() && bytes < 100'000'000) {
      reply->progress({{"progress", std::string(1000, 'x')}});
      bytes += 1000;
    }
    sent.set_value(bytes);
  });
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_LT(sent.get_future().get(), 3'000'000U);
}

TEST(ControlServer, an_answer_of_many_megabytes_arrives_whole) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json&, const std::shared_ptr<Reply>& reply) {
    reply->finish({{"x", std::string(20'000'000, 'x')}});
  });
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  client.say_no_more();
  EXPECT_EQ(client.hear_all().size(), 20'000'000U + std::strlen("{\"x\":\"\"}\n"));
}

TEST(ControlServer, a_request_that_is_forgotten_is_answered_as_cancelled) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json&, const std::shared_ptr<Reply>&) {});
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(code_of(client.hear_line()), "cancelled");
}

TEST(ControlServer, bytes_that_are_no_utf_8_are_replaced_in_answers) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", [](const Json&, const std::shared_ptr<Reply>& reply) {
    reply->finish({{"path", "caf\xe9"}});
  });
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(client.hear_line(), "{\"path\":\"caf\xef\xbf\xbd\"}");
}

TEST(ControlServer, the_65th_client_is_told_to_come_later_while_all_wait_for_answers) {
  const TemporaryDirectory directory;
  std::vector<std::shared_ptr<Reply>> held;
  RunningServer server(directory / "s", [&](const Json&, const auto& reply) {
    held.push_back(reply);
    reply->progress({{"progress", 1}});
  });
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<RawClient>(directory / "s"));
    clients.back()->say("{\"command\":\"a\"}\n");
    EXPECT_NE(clients.back()->hear_line(), "");
  }
  RawClient late(directory / "s");
  EXPECT_EQ(code_of(late.hear_all()), "busy");
  server.on_loop([&] {
    held.front()->finish({{"ok", true}});
    held.clear();
  });
  EXPECT_EQ(clients.front()->hear_line(), R"({"ok":true})");
  RawClient next(directory / "s");
  next.say("{\"command\":\"a\"}\n");
  EXPECT_NE(next.hear_line(), "");
  server.on_loop([&] { held.clear(); });
}

TEST(ControlServer, clients_that_ask_nothing_keep_nobody_out) {
  const TemporaryDirectory directory;
  const RunningServer server(directory / "s", echo);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(std::make_unique<RawClient>(directory / "s"));
    idle.back()->say("{\"comm");
  }
  RawClient client(directory / "s");
  client.say("{\"command\":\"a\"}\n");
  EXPECT_EQ(client.hear_line(), R"({"echo":{"command":"a"}})");
  idle.back()->say("and\":\"b\"}\n");  // the longest idle one goes, not the last
  EXPECT_EQ(idle.back()->hear_line(), R"({"echo":{"command":"b"}})");
  EXPECT_EQ(idle.front()->hear_all(), "");
}

TEST(ControlServer, a_server_may_go_while_a_reply_is_held_and_clients_wait) {
  const TemporaryDirectory directory;
  asio::io_context loop;
  std::shared_ptr<Reply> held;
  auto server = Server::listen(loop, directory / "s", hold_and_stop(held, loop));
  ASSERT_TRUE(server);
  RawClient waiting(directory / "s");
  RawClient asking(directory / "s");
  asking.say("{\"command\":\"a\"}\n");
  loop.run();
  server->reset();
  EXPECT_FALSE(held->wanted());
  held->progress({{"progress", 1}});
  held->finish({{"ok", true}});
  EXPECT_EQ(asking.hear_all(), "");
  held.reset();
  loop.restart();
  loop.poll();
  EXPECT_EQ(waiting.hear_all(), "");
}

}  // namespace
}  // namespace maildirsync::control
