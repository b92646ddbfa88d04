#include "cli/doctor/doctor.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/ask/terminal.h"
#include "cli/doctor/checks.h"
#include "cli/report/format.h"
#include "common/os/directory.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_max_file = 1024 * 1024;

struct Arguments {
  std::string config;
  std::string prefix;
};

struct Side {
  Role role;
  Places places;
  Checks checks;
};

/// Whose configuration a file is, also when it is half-written: by what only the receiver's has, or else by its name.
Role role_of(const std::string& file) {
  const std::string text = os::read_file(file, k_max_file).value_or("");
  const auto has = [&](const char* key) { return ("\n" + text).find(std::string("\n") + key) != std::string::npos; };
  if (has("listen") || has("[[peer")) return Role::receiver;
  if (has("receiver") || has("[[root")) return Role::agent;
  return file.find("receiver") != std::string::npos ? Role::receiver : Role::agent;
}

std::vector<Side> sides_of(const Arguments& arguments) {
  std::vector<Side> sides;
  if (!arguments.config.empty()) {
    const Role role = role_of(arguments.config);
    sides.push_back({role, places_of(role, arguments.prefix, arguments.config), {}});
    return sides;
  }
  for (const Role role : {Role::agent, Role::receiver}) {
    Places places = places_of(role, arguments.prefix, "");
    struct stat status {};
    if (::stat(places.config.c_str(), &status) == 0) sides.push_back({role, std::move(places), {}});
  }
  return sides;
}

const char* state_word(Check::State state) {
  switch (state) {
    case Check::State::good:
      return "good";
    case Check::State::bad:
      return "bad";
    case Check::State::skipped:
      break;
  }
  return "skipped";
}

Style style_of(Check::State state) {
  return state == Check::State::good ? Style::good : state == Check::State::bad ? Style::bad : Style::faint;
}

bool is_healthy(const std::vector<Side>& sides) {
  return std::all_of(sides.begin(), sides.end(), [](const Side& side) {
    return std::none_of(side.checks.all().begin(), side.checks.all().end(),
                        [](const Check& check) { return check.state == Check::State::bad; });
  });
}

std::string text_of_sides(const std::vector<Side>& sides, Colour colour) {
  std::string text;
  std::size_t bad = 0;
  for (const auto& side : sides) {
    text += paint(colour, Style::strong, fmt::format("{} ({})", role_word(side.role), side.places.config)) + '\n';
    for (const auto& check : side.checks.all()) {
      const std::string word = paint(colour, style_of(check.state), fmt::format("{:<8}", state_word(check.state)));
      text += fmt::format("  {}{}: {}\n", word, check.name, check.what);
      if (!check.remedy.empty())
        text += fmt::format("          {} {}\n", paint(colour, Style::strong, "do:"), check.remedy);
      bad += check.state == Check::State::bad ? 1 : 0;
    }
  }
  return text +
         (bad == 0 ? paint(colour, Style::good, "healthy")
                   : paint(colour, Style::bad, format_plural(bad, "thing") + " to mend")) +
         '\n';
}

Json json_of_sides(const std::vector<Side>& sides) {
  Json checks = Json::array();
  for (const auto& side : sides) {
    for (const auto& check : side.checks.all()) {
      checks.push_back({{"role", role_word(side.role)},
                        {"config", side.places.config},
                        {"name", check.name},
                        {"state", state_word(check.state)},
                        {"detail", check.what},
                        {"remedy", check.remedy}});
    }
  }
  return {{"healthy", is_healthy(sides)}, {"checks", std::move(checks)}};
}

int doctor(const Options& options, const Arguments& arguments) {
  auto sides = sides_of(arguments);
  if (sides.empty()) {
    complain(
        "there is no configuration in " + arguments.prefix +
        "/etc/maildirsync yet; run: maildirsync setup agent (old mail server) or maildirsync setup receiver (new one)");
    return k_exit_usage;
  }
  for (auto& side : sides)
    (side.role == Role::agent ? check_agent : check_receiver)(side.places, side.checks);
  const Colour colour = is_decorated(STDOUT_FILENO, options) ? Colour::on : Colour::off;
  print(options.json ? to_line(json_of_sides(sides)) : text_of_sides(sides, colour));
  return is_healthy(sides) ? k_exit_done : k_exit_incomplete;
}

}  // namespace

Run add_doctor(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  command.add_option("--config", arguments->config, "the configuration; without it those in /etc/maildirsync")
      ->type_name("FILE");
  command.add_option("--prefix", arguments->prefix, "look for the configurations below it")->type_name("DIRECTORY");
  command.footer("Exit status: 0 healthy, 1 not, with what to do, 2 wrong usage or nothing to look at.");
  return [arguments](const Options& options) { return doctor(options, *arguments); };
}

}  // namespace maildirsync::cli
