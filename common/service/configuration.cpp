#include "common/service/configuration.h"

#include <iostream>

#include <nlohmann/json.hpp>

#include "common/config/document.h"
#include "common/control/client.h"
#include "common/os/clock.h"
#include "common/service/program.h"

namespace maildirsync::service {

namespace {

constexpr int k_exit_unreachable = 3;
constexpr double k_longest_seconds = 60;

}  // namespace

Configuration Configuration::of(const std::string& file) {
  return {file, config::digest_of_file(file), std::time(nullptr), std::nullopt};
}

nlohmann::json Configuration::to_json() const {
  return {{"file", file},
          {"digest", digest},
          {"read_at", os::stamp_of(read_at)},
          {"refused", refused ? nlohmann::json(*refused) : nlohmann::json(nullptr)}};
}

std::string Configuration::refusal() const {
  return refused.value_or("") + "; what was read before goes on. Mend the file, then reload again";
}

int ask_to_reload(const std::string& name, const std::string& control) {
  const auto answer = control::call(control, {{"command", "reload"}}, {}, k_longest_seconds);
  if (!answer) {
    std::cerr << name << ": not reloaded: " << answer.error().message() << ". A changed `control` needs a restart\n";
    return k_exit_unreachable;
  }
  if (const auto error = answer->find("error"); error != answer->end()) {
    std::cerr << name << ": not reloaded: " << error->value("message", "") << '\n';
    return k_exit_configuration;
  }
  std::cout << name << ": " << answer->value("message", "reloaded") << '\n';
  return 0;
}

}  // namespace maildirsync::service
