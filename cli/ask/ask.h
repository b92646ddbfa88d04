#pragma once

#include <functional>
#include <string>

#include <tl/expected.hpp>

#include "cli/options.h"
#include "cli/report/fields.h"

namespace maildirsync::cli {

/// How long a daemon may take for an answer that it has at hand. Any command, however long, ends after 10 s of silence
/// (control::k_silence_seconds).
constexpr double k_patience_seconds = 30;

/// The socket that the options mean; without --control the default one that exists, the agent's first.
std::string socket_of(const Options& options);

/// Puts a sentence on stderr.
void complain(const std::string& sentence);
/// Puts the result on stdout.
void print(const std::string& text);

/// Why there is no answer.
struct Refusal {
  int exit_status = k_exit_incomplete;
  std::string sentence;
};

/// How a request is waited for.
struct Patience {
  double timeout_seconds = k_patience_seconds;  ///< 0: no end
  int cancel_fd = -1;                           ///< readable: no longer
  std::function<void(const Json&)> on_progress{};
};

/// Asks the daemon.
tl::expected<Json, Refusal> try_ask(const Options& options, const Json& request, const Patience& patience = {});

/// The same. When it can't be reached or refuses, the sentence that says so has gone to stderr, and the exit
/// status is the error. `timeout_seconds` 0: none.
tl::expected<Json, int> ask(const Options& options, const Json& request, double timeout_seconds = k_patience_seconds,
                            const std::function<void(const Json&)>& on_progress = {});

/// Asks, prints the message of the answer (or all of it as JSON), and gives the exit status.
int ask_and_tell(const Options& options, const Json& request);

}  // namespace maildirsync::cli
