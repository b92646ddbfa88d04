#include "cli/deploy/there.h"

#include <sstream>
#include <utility>
#include <vector>

#include "cli/deploy/here.h"

namespace maildirsync::cli {

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(word);
  return words;
}

}  // namespace

There::There(const std::string& ssh, const std::string& destination, std::string prefix)
    : ssh_(words_of(ssh), destination), prefix_(std::move(prefix)) {}

Result<> There::look() {
  tell("looking at " + name());
  MAILDIRSYNC_ASSIGN(const auto said, ssh_.run(look_script(prefix_), k_step_seconds));
  MAILDIRSYNC_ASSIGN(found_, parse_old_server(said.out));
  for (const auto& line : describe(found_))
    tell("  " + line);
  if (!found_.is_root && found_.has_sudo) ssh_.use_sudo();
  return {};
}

std::string There::program() const {
  return found_.package.empty() ? prefix_ + "/bin/maildirsync" : "/usr/bin/maildirsync";
}

Result<Said> There::must_run(const std::string& script, double seconds) const {
  MAILDIRSYNC_ASSIGN(auto said, ssh_.run(script, seconds));
  if (!said.good()) return failed(said.last_words());
  return said;
}

Failure There::failed(std::string words) const {
  return failure(ErrorCode::io, "", "on " + name() + ": " + without_name(std::move(words)));
}

}  // namespace maildirsync::cli
