#include <algorithm>
#include <array>
#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "cli/commands/pair.h"
#include "cli/setup/address.h"
#include "cli/setup/files.h"
#include "cli/setup/prompt.h"
#include "cli/setup/survey.h"
#include "common/config/values.h"
#include "common/net/identity.h"
#include "common/os/path.h"
#include "common/os/replace_file.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string role;
  std::vector<std::string> roots;  ///< [NAME=]PATH
  std::vector<std::string> layouts;
  std::string listen;
  std::string path;
  bool force = false;
  bool yes = false;
  PairArguments pair;
};

template <class T>
Result<> only_check(const Result<T>& result) {
  if (!result) return Failure(result.error());
  return {};
}

/// The key and its certificate: made when both are missing.
Result<std::string> identity(const Places& places, std::vector<std::string>& notes) {
  const std::string certificate = places.identity + ".crt";
  if (os::exists(certificate) && os::exists(places.identity + ".key")) {
    auto fingerprint = net::fingerprint_of_file(certificate);
    if (fingerprint) notes.push_back("kept the key " + places.identity + ".key");
    return fingerprint;
  }
  auto fingerprint = net::generate_identity(places.identity, known_host_name().substr(0, 64));
  if (fingerprint) notes.push_back("made the key " + places.identity + ".key (secret, stays here)");
  return fingerprint;
}

ChosenRoot parse_root(const std::string& text) {
  const std::size_t equals = text.find('=');
  ChosenRoot root;
  root.path = equals == std::string::npos || text.starts_with('/') ? text : text.substr(equals + 1);
  root.name = root.path.size() == text.size() ? root_name(root.path) : text.substr(0, equals);
  return root;
}

/// The roots that were named, or found, or asked for.
Result<std::vector<ChosenRoot>> choose_roots(const Arguments& arguments, const Survey& survey, const Prompt& prompt) {
  std::vector<ChosenRoot> roots;
  for (const auto& text : arguments.roots)
    roots.push_back(parse_root(text));
  if (roots.empty()) roots = survey.roots;
  if (roots.empty() && prompt.asks()) roots.push_back({"", "", "", ""});
  if (roots.empty()) {
    return failure(ErrorCode::config, "",
                   "no Maildirs were found here; say where they are: --root PATH --accounts PATTERN, such as --root "
                   "/var/mail/vhosts --accounts %d/%n/Maildir");
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    ChosenRoot& root = roots[i];
    if (arguments.roots.empty()) {
      auto path = prompt.ask("Which directory holds the accounts", root.path,
                             [](const std::string& text) { return only_check(config::parse_absolute_path(text)); });
      if (!path) return Failure(path.error());
      if (*path != root.path) root = {"", *path, "", ""};
      if (root.name.empty()) root.name = root_name(root.path);
    }
    if (i < arguments.layouts.size()) root.accounts = arguments.layouts[i];
    if (i >= arguments.layouts.size() && arguments.layouts.size() == 1) root.accounts = arguments.layouts[0];
    if (root.accounts.empty()) {
      root.accounts = layout_below(root.path);
      root.why = root.accounts.empty() ? "" : "as the Maildirs below it show";
    }
    if (root.accounts.empty()) {
      root.accounts = "%d/%n/Maildir";
      root.why = "a guess: there is no Maildir below it yet";
    }
    if (arguments.layouts.empty()) {
      auto layout = prompt.ask(
          "Where is each account's Maildir below " + root.path + " (%d domain, %n local part, %u whole name)",
          root.accounts, [](const std::string& text) { return only_check(config::parse_layout(text)); });
      if (!layout) return Failure(layout.error());
      root.accounts = *layout;
    }
    MAILDIRSYNC_TRY(only_check(config::parse_absolute_path(root.path)));
    MAILDIRSYNC_TRY(only_check(config::parse_name(root.name)));
    MAILDIRSYNC_TRY(only_check(config::parse_layout(root.accounts)));
  }
  return roots;
}

/// Asks for the receiver's line, because it is usually made first.
Result<> ask_for_line(Arguments& arguments, const Prompt& prompt) {
  if (!arguments.pair.line.empty()) return {};
  auto line =
      prompt.ask("The line that `maildirsync setup receiver` printed on the new server (nothing: later, by pair)", "",
                 [](const std::string& text) { return text.empty() ? Result<>() : only_check(parse_pair_line(text)); });
  if (!line) return Failure(line.error());
  arguments.pair.line = std::move(*line);
  return {};
}

Result<std::string> agent_config(Arguments& arguments, const Places& places, const Prompt& prompt,
                                 std::vector<std::string>& notes) {
  const Survey survey = arguments.roots.empty() ? survey_mail() : Survey{};
  notes.insert(notes.end(), survey.notes.begin(), survey.notes.end());
  MAILDIRSYNC_ASSIGN(const auto roots, choose_roots(arguments, survey, prompt));
  for (const auto& root : roots) {
    notes.push_back(fmt::format("root {}: accounts are {}/{}{}", root.name, root.path, root.accounts,
                                root.why.empty() ? "" : ", " + root.why));
  }
  MAILDIRSYNC_TRY(ask_for_line(arguments, prompt));
  return agent_text(places, roots);
}

Result<std::string> receiver_config(const Arguments& arguments, const Places& places, const Prompt& prompt,
                                    std::vector<std::string>& notes) {
  auto listen = arguments.listen.empty()
                    ? prompt.ask("On which address and port shall the receiver listen", "0.0.0.0:4465",
                                 [](const std::string& text) { return only_check(config::parse_endpoint(text)); })
                    : Result<std::string>(arguments.listen);
  if (!listen) return Failure(listen.error());
  const auto endpoint = config::parse_endpoint(*listen);
  if (!endpoint) return failure(ErrorCode::config, "", "--listen: " + endpoint.error().detail);
  notes.push_back(fmt::format("it listens on {}; let the old mail server through the firewall to port {}",
                              endpoint->text(), endpoint->port));
  return receiver_text(places, endpoint->text());
}

/// The receiver's unit may write where mail will lie, so that pairing needs no restart.
Result<> prepare_unit(const Arguments& arguments, const Places& places, std::vector<std::string>& notes) {
  std::vector<std::string> paths;
  if (!arguments.path.empty()) {
    MAILDIRSYNC_TRY(only_check(config::parse_absolute_path(arguments.path)));
    if (!os::exists(arguments.path)) {
      return failure(ErrorCode::config, arguments.path, "--path: there is no such directory; make or mount it first");
    }
    paths.push_back(arguments.path);
  } else if (places.is_default) {
    const Survey survey = survey_mail();
    notes.insert(notes.end(), survey.notes.begin(), survey.notes.end());
    for (const auto& root : survey.roots) {
      if (os::exists(root.path)) paths.push_back(root.path);
    }
  }
  MAILDIRSYNC_ASSIGN(const auto changed, allow_writes(places, paths));
  if (changed) notes.push_back(fmt::format("{} lets the service write to {}", places.dropin, fmt::join(paths, ", ")));
  return {};
}

Result<> write_config(Arguments& arguments, Role role, const Places& places, std::vector<std::string>& notes) {
  if (os::exists(places.config) && !arguments.force) {
    return failure(ErrorCode::config, "",
                   places.config + " exists and is left as it is; to write it anew, losing what is in it: --force");
  }
  const Prompt prompt(arguments.yes ? Prompt::Use::take_defaults : Prompt::Use::ask);
  MAILDIRSYNC_ASSIGN(const auto text, role == Role::agent ? agent_config(arguments, places, prompt, notes)
                                                          : receiver_config(arguments, places, prompt, notes));
  MAILDIRSYNC_TRY(make_directories(os::directory_of(places.config)));
  if (!places.prefix.empty()) {
    for (const auto& folder : {places.state_dir, os::directory_of(places.control)}) {
      MAILDIRSYNC_TRY(make_directories(folder));
      ::chmod(folder.c_str(), 0700);
    }
  }
  MAILDIRSYNC_TRY(identity(places, notes));
  MAILDIRSYNC_TRY(os::replace_file_of_others(places.config, text));
  notes.push_back("wrote " + places.config);
  return role == Role::receiver ? prepare_unit(arguments, places, notes) : Result<>();
}

int setup(const Options& options, Arguments arguments) {
  const Role role = arguments.role == "agent" ? Role::agent : Role::receiver;
  auto places = places_of(role, arguments.pair.prefix, arguments.pair.config);
  if (places.config.front() != '/') places = places_of(role, arguments.pair.prefix, absolute(places.config));
  if (!arguments.pair.line.empty()) {  // before anything is written for it
    if (const auto line = parse_pair_line(arguments.pair.line); !line) {
      complain(line.error().message());
      return k_exit_usage;
    }
  }
  if (role == Role::receiver && arguments.pair.paused) {
    const auto refused = keep_at_rest(options, role, places, arguments.pair);
    complain(refused.error().message());
    return k_exit_usage;
  }
  std::vector<std::string> notes;
  if (const auto done = write_config(arguments, role, places, notes); !done) {
    complain(done.error().message());
    return k_exit_usage;
  }
  return finish_pairing(options, role, places, arguments.pair, std::move(notes));
}

}  // namespace

Run add_setup(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_option("SIDE", arguments->role, "agent: this is the old mail server; receiver: this is the new one")
      ->required()
      ->one_of({"agent", "receiver"});
  command.add_option("--root", arguments->roots, "agent: a tree that holds accounts; without it, what is found here")
      ->type_name("[NAME=]PATH")
      ->allow_extra_args(false);
  command
      .add_option("--accounts", arguments->layouts, "agent: where each Maildir lies below it, such as %d/%n/Maildir")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command.add_option("--listen", arguments->listen, "receiver: where to listen; without it 0.0.0.0:4465")
      ->type_name("ADDRESS:PORT");
  command.add_option("--path", arguments->path, "receiver: where the mail will lie; without it, what is found here")
      ->type_name("DIRECTORY");
  command.add_option("--pair", arguments->pair.line, "the line of the other side, as with the command pair")
      ->type_name("LINE");
  command.add_flag("--force", arguments->force, "write the configuration anew; the key stays");
  command.add_flag("--yes", arguments->yes, "ask nothing, take what is found");
  add_place_options(command, arguments->pair);
  command.footer(
      "Prints the line for the other side. Exit status: 0 done, 1 not started, 2 wrong usage or nothing changed.");
  return [arguments](const Options& options) { return setup(options, *arguments); };
}

}  // namespace maildirsync::cli
