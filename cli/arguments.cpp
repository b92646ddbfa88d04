// The only file that includes CLI11: its templates take seconds to compile wherever they stand.

#include "cli/arguments.h"

#include <charconv>
#include <cmath>
#include <iostream>
#include <list>
#include <utility>

#include <CLI/CLI.hpp>

namespace maildirsync::cli {

namespace {

CLI::Option& option_of(void* parsed) {
  return *static_cast<CLI::Option*>(parsed);
}

CLI::App& app_of(void* parsed) {
  return *static_cast<CLI::App*>(parsed);
}

}  // namespace

Option* Option::type_name(const std::string& name) {
  option_of(parsed_).type_name(name);
  return this;
}

Option* Option::required() {
  option_of(parsed_).required();
  return this;
}

Option* Option::check(std::function<std::string(const std::string& value)> wrong) {
  option_of(parsed_).check(std::move(wrong));
  return this;
}

Option* Option::one_of(const std::vector<std::string>& values) {
  option_of(parsed_).check(CLI::IsMember(values));
  return this;
}

Option* Option::take_last() {
  option_of(parsed_).take_last();
  return this;
}

Option* Option::allow_extra_args(bool allow) {
  option_of(parsed_).allow_extra_args(allow);
  return this;
}

Option* Option::capture_default_str() {
  option_of(parsed_).capture_default_str();
  return this;
}

Option* Option::excludes(Option* other) {
  option_of(parsed_).excludes(&option_of(other->parsed_));
  return this;
}

Option* Option::needs(Option* other) {
  option_of(parsed_).needs(&option_of(other->parsed_));
  return this;
}

Option* Parser::keep(void* option) {
  options_.push_back(Option(option));
  return &options_.back();
}

Option* Parser::add_option(const std::string& name, std::string& value, const std::string& about) {
  return keep(app_of(parsed_).add_option(name, value, about));
}

Option* Parser::add_option(const std::string& name, double& value, const std::string& about) {
  return keep(app_of(parsed_).add_option(name, value, about));
}

Option* Parser::add_option(const std::string& name, unsigned& value, const std::string& about) {
  return keep(app_of(parsed_).add_option(name, value, about));
}

Option* Parser::add_option(const std::string& name, std::optional<double>& value, const std::string& about) {
  return keep(app_of(parsed_).add_option(name, value, about));
}

Option* Parser::add_option(const std::string& name, std::vector<std::string>& values, const std::string& about) {
  return keep(app_of(parsed_).add_option(name, values, about));
}

Option* Parser::add_accounts(std::string& glob, const std::string& about) {
  return add_option("--account", glob, about)->type_name("GLOB")->check(check_glob);
}

Option* Parser::add_flag(const std::string& name, bool& value, const std::string& about) {
  return keep(app_of(parsed_).add_flag(name, value, about));
}

void Parser::footer(const std::string& text) {
  app_of(parsed_).footer(text);
}

int run_command_line(int argc, char** argv, const std::vector<Command>& commands) {
  CLI::App app{"Looks after maildirsync-agent and maildirsyncd through their control sockets.", "maildirsync"};
  Options options;
  app.add_option("--control", options.control,
                 "control socket; without it the default one that exists, the agent's first")
      ->type_name("SOCKET");
  app.add_flag("--json", options.json, "results as JSON, one object a line");
  app.set_version_flag("--version", std::string("maildirsync ") + MAILDIRSYNC_VERSION);
  app.require_subcommand(0, 1);
  app.footer(
      "Exit status: 0 done, 1 something differs or is incomplete, 2 wrong usage, 3 the daemon cannot be reached.");
  std::list<Parser> parsers;
  std::vector<std::pair<CLI::App*, Run>> added;
  for (const auto& command : commands) {
    CLI::App* parser = app.add_subcommand(command.name, command.about);
    parser->fallthrough();  // --json and --control may stand behind the command too
    added.emplace_back(parser, command.add(parsers.emplace_back(parser)));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? k_exit_done : k_exit_usage;
  }
  for (const auto& [parser, run_command] : added) {
    if (parser->parsed()) return run_command(options);
  }
  std::cerr << "maildirsync: a command is missing\n\n" << app.help();
  return k_exit_usage;
}

std::string check_seconds(const std::string& text) {
  double seconds = 0;
  const char* const end_of_text = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), end_of_text, seconds);
  const bool good = error == std::errc() && end == end_of_text && std::isfinite(seconds) && seconds >= 0;
  return good ? "" : "'" + text + "' is not a number of seconds";
}

std::string check_glob(const std::string& text) {
  return text.empty() ? "the glob is empty; all accounts are '*'" : "";
}

}  // namespace maildirsync::cli
