#include "cli/commands/pair.h"

#include <chrono>
#include <iostream>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "cli/setup/quiet_start.h"
#include "cli/setup/service.h"
#include "common/config/document.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::vector<std::string> words;
  std::vector<std::string> paths;
  std::vector<std::string> owners;
  PairArguments pair;
};

/// "ROOT=VALUE" or "VALUE" for all.
std::map<std::string, std::string> by_root(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> values;
  for (const auto& text : texts) {
    const std::size_t equals = text.starts_with('/') ? std::string::npos : text.find('=');
    if (equals == std::string::npos) {
      values[""] = text;
    } else {
      values[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return values;
}

/// Whose configuration a file is: only the receiver's has `listen`.
Role role_of(const std::string& config) {
  const auto document = config::read_document(config);
  return document && document->find("listen") != nullptr ? Role::receiver : Role::agent;
}

/// Where our own line goes; a terminal gets the command to copy, a script the line alone.
std::string next_step(Role role, bool paired, bool terminal) {
  const std::string there = role == Role::receiver ? "the old mail server" : "the new mail server";
  const std::string run = terminal ? "run there:" : "run there `maildirsync pair` with this line:";
  if (paired) return there + " has to know this side, too; if it does not yet, " + run;
  return fmt::format("next: on {}, after `maildirsync setup {}`, {}", there,
                     role == Role::receiver ? "agent" : "receiver", run);
}

struct Outcome {
  bool good = true;
  std::vector<std::string> notes;
};

std::string control_of(Role role, const Places& places) {
  const auto document = config::read_document(places.config);
  const config::Value* control = document ? document->find("control") : nullptr;
  return control == nullptr ? places_of(role, "", "").control : control->text;
}

/// What the agent finds out with its receiver before it sends anything: that a root would land in its own source. Told
/// at once, while whoever mistyped a path is still there. "" when nothing is wrong, or nothing is known within moments.
std::string wait_for_overlap(const Options& options, const std::string& control) {
  constexpr auto k_longest = std::chrono::seconds(3);
  constexpr auto k_between = std::chrono::milliseconds(200);
  Options agent = options;
  agent.control = control;
  for (const auto end = std::chrono::steady_clock::now() + k_longest; std::chrono::steady_clock::now() < end;) {
    const auto status = try_ask(agent, {{"command", "status"}}, {.timeout_seconds = 2});
    if (!status) return "";
    for (const auto& problem : list_of(*status, "problems")) {
      if (text_of(problem, "code") == "destination-overlaps") {
        return fmt::format("the root {} is held: {}", text_of(problem, "root"), text_of(problem, "detail"));
      }
    }
    const std::string state = text_of(*status, "state");
    if (state == "live" || state == "draining" || count_of(object_of(*status, "totals"), "messages_sent") > 0)
      return "";
    std::this_thread::sleep_for(k_between);
  }
  return "";
}

Result<Outcome> pair_with(const Options& options, Role role, const Places& places, const PairArguments& arguments) {
  MAILDIRSYNC_ASSIGN(const auto line, parse_pair_line(arguments.line));
  if (line.role == role) {
    return failure(ErrorCode::config, "",
                   fmt::format("the line is of {} {}, and this is one; a pair is an agent and a receiver",
                               role == Role::agent ? "an" : "a", role_word(role)));
  }
  auto paired =
      role == Role::agent ? pair_with_receiver(places, line) : pair_with_agent(places, line, arguments.mapping);
  if (!paired) return Failure(paired.error());
  Outcome outcome{true, std::move(paired->notes)};
  if (arguments.no_start) {
    outcome.notes.push_back("not started, as --no-start says; next: " + start_hint(role, places));
    return outcome;
  }
  const std::string control = control_of(role, places);
  auto applied = apply(role, places, control, paired->dropin_changed);
  outcome.good = applied.good;
  outcome.notes.push_back(std::move(applied.sentence));
  if (role == Role::agent && process_behind(control) > 0) {
    if (auto overlap = wait_for_overlap(options, control); !overlap.empty()) {
      outcome.good = false;
      outcome.notes.push_back(std::move(overlap));
    }
  }
  return outcome;
}

int pair(const Options& options, Arguments arguments) {
  for (const auto& word : arguments.words)
    arguments.pair.line += (arguments.pair.line.empty() ? "" : " ") + word;
  arguments.pair.mapping.paths = by_root(arguments.paths);
  arguments.pair.mapping.owners = by_root(arguments.owners);
  const PairArguments& given = arguments.pair;

  // The line says which side we are; without one, the configuration that is here does.
  std::vector<Role> roles;
  if (!given.line.empty()) {
    const auto line = parse_pair_line(given.line);
    if (!line) {
      complain(line.error().message());
      return k_exit_usage;
    }
    roles.push_back(line->role == Role::agent ? Role::receiver : Role::agent);
  } else if (!given.config.empty()) {
    roles.push_back(role_of(given.config));
  } else {
    for (const Role role : {Role::agent, Role::receiver}) {
      if (os::exists(places_of(role, given.prefix, "").config)) roles.push_back(role);
    }
  }
  if (roles.empty()) {
    complain(
        "there is no configuration in " + given.prefix +
        "/etc/maildirsync yet; run: maildirsync setup agent (old mail server) or maildirsync setup receiver (new one)");
    return k_exit_usage;
  }
  int status = k_exit_done;
  for (const Role role : roles) {
    const std::string config = given.config.empty() ? "" : absolute(given.config);
    status = std::max(status, finish_pairing(options, role, places_of(role, given.prefix, config), given, {}));
  }
  return status;
}

}  // namespace

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  const std::unique_ptr<char, decltype(&::free)> here(::getcwd(nullptr, 0), ::free);
  return std::string(here ? here.get() : "") + "/" + path;
}

void add_place_options(Parser& command, PairArguments& arguments) {
  command.add_option("--address", arguments.address, "receiver: how agents reach it, when that is not its host's name")
      ->type_name("HOST[:PORT]");
  command.add_option("--config", arguments.config, "the configuration; without it the one in /etc/maildirsync")
      ->type_name("FILE");
  command.add_option("--prefix", arguments.prefix, "all files are below it, and no service is touched")
      ->type_name("DIRECTORY");
  command.add_flag("--paused", arguments.paused, "agent: copy nothing until `maildirsync resume`");
  command.add_flag("--no-start", arguments.no_start, "do not start or reload the service");
}

Result<> keep_at_rest(const Options& options, Role role, const Places& places, const PairArguments& arguments) {
  if (!arguments.paused) return {};
  if (role == Role::receiver) {
    return failure(ErrorCode::config, "",
                   "--paused is for the agent, on the old mail server; a receiver sends nothing");
  }
  if (!os::exists(places.config)) return {};  // `setup` says it again once there is one
  const std::string control = control_of(role, places);
  if (process_behind(control) <= 0) return start_paused(places);
  Options agent = options;
  agent.control = control;
  const auto answer = try_ask(agent, {{"command", "pause"}}, {});
  if (!answer) return failure(ErrorCode::state, "", "the agent that runs cannot be paused: " + answer.error().sentence);
  return {};
}

int finish_pairing(const Options& options, Role role, const Places& places, const PairArguments& arguments,
                   std::vector<std::string> notes) {
  bool good = true;
  if (const auto rests = keep_at_rest(options, role, places, arguments); !rests) {
    complain(rests.error().message());
    return k_exit_usage;
  }
  if (arguments.paused) notes.push_back("the agent is paused: nothing is copied until maildirsync resume");
  if (!arguments.line.empty()) {
    auto outcome = pair_with(options, role, places, arguments);
    if (!outcome) {
      for (const auto& note : notes)
        std::cerr << note << '\n';
      complain(outcome.error().message());
      return k_exit_usage;
    }
    good = outcome->good;
    notes.insert(notes.end(), outcome->notes.begin(), outcome->notes.end());
  }
  for (const auto& note : notes)
    std::cerr << note << '\n';
  const auto own = own_line(role, places, arguments.address);
  if (!own) {
    complain(own.error().message());
    return k_exit_usage;
  }
  const std::string line = format_pair_line(*own);
  if (options.json) {
    print(to_line({{"role", role_word(role)},
                   {"config", places.config},
                   {"fingerprint", own->fingerprint},
                   {"line", line},
                   {"paired", !arguments.line.empty()},
                   {"notes", notes}}));
  } else {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    std::cerr << next_step(role, !arguments.line.empty(), terminal) << '\n' << std::flush;
    print(terminal ? fmt::format("maildirsync pair '{}'\n", line) : line + '\n');
    if (!arguments.line.empty()) std::cerr << "Then, on either: maildirsync doctor; maildirsync status --watch\n";
  }
  return good ? k_exit_done : k_exit_incomplete;
}

Run add_pair(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command
      .add_option("LINE", arguments->words,
                  "what `maildirsync pair` printed on the other server; without it, print ours")
      ->type_name("LINE");
  command
      .add_option("--name", arguments->pair.mapping.peer_name,
                  "receiver: what to call the agent; without it its host's name")
      ->type_name("NAME");
  command
      .add_option("--path", arguments->paths,
                  "receiver: where a root of the agent lands; without it where mail is here, or was there")
      ->type_name("[ROOT=]DIRECTORY")
      ->allow_extra_args(false);
  command
      .add_option("--owner", arguments->owners,
                  "receiver: who owns a root's mail here; without it who has the same name, or all mail here")
      ->type_name("[ROOT=]USER:GROUP")
      ->allow_extra_args(false);
  command.add_flag("--replace", arguments->pair.mapping.replace, "receiver: the agent of that name has a new key");
  add_place_options(command, arguments->pair);
  command.footer(
      "Prints the command for the other side. Exit status: 0 done, 1 paired but not started, 2 wrong usage or nothing "
      "changed.");
  return [arguments](const Options& options) { return pair(options, *arguments); };
}

}  // namespace maildirsync::cli
