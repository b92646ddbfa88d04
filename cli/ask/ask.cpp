#include "cli/ask/ask.h"

#include <array>
#include <cerrno>
#include <iostream>

#include <sys/stat.h>

#include "common/control/client.h"
#include "common/os/printable.h"

namespace maildirsync::cli {

namespace {

constexpr std::array k_default_sockets{"/run/maildirsync-agent/control.sock", "/run/maildirsyncd/control.sock"};

}  // namespace

std::string socket_of(const Options& options) {
  if (!options.control.empty()) return options.control;
  for (const char* socket : k_default_sockets) {
    struct stat file {};
    // One that we may not look at is there for all we know: the daemon's sentence is about permission then.
    if (::stat(socket, &file) == 0 || errno == EACCES) return socket;
  }
  return k_default_sockets.front();
}

void complain(const std::string& sentence) {
  std::cerr << "maildirsync: " << os::printable(sentence) << '\n';
}

void print(const std::string& text) {
  std::cout << text << std::flush;
}

tl::expected<Json, Refusal> try_ask(const Options& options, const Json& request, const Patience& patience) {
  auto answer =
      control::call(socket_of(options), request, patience.on_progress, patience.timeout_seconds, patience.cancel_fd);
  if (!answer) {
    std::string sentence = answer.error().message();
    if (options.control.empty() && answer.error().code == ErrorCode::unreachable) {
      sentence += ". Another socket: --control SOCKET";
    }
    return tl::unexpected(Refusal{k_exit_unreachable, sentence});
  }
  if (answer->contains("error")) {
    const Json& error = object_of(*answer, "error");
    const std::string code = text_of(error, "code");
    const int status = code == "usage" || code == "config" ? k_exit_usage : k_exit_incomplete;
    return tl::unexpected(Refusal{status, text_of(error, "message")});
  }
  return std::move(*answer);
}

tl::expected<Json, int> ask(const Options& options, const Json& request, double timeout_seconds,
                            const std::function<void(const Json&)>& on_progress) {
  auto answer = try_ask(options, request, {.timeout_seconds = timeout_seconds, .on_progress = on_progress});
  if (answer) return std::move(*answer);
  complain(answer.error().sentence);
  return tl::unexpected(answer.error().exit_status);
}

int ask_and_tell(const Options& options, const Json& request) {
  const auto answer = ask(options, request);
  if (!answer) return answer.error();
  print(options.json ? to_line(*answer) : text_of(*answer, "message") + '\n');
  return k_exit_done;
}

}  // namespace maildirsync::cli
