#include "cli/setup/prompt.h"

#include <iostream>

#include <unistd.h>

#include "common/os/printable.h"

namespace maildirsync::cli {

Prompt::Prompt(Use use) : asks_(use == Use::ask && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) {}

Result<std::string> Prompt::ask(const std::string& question, const std::string& proposal,
                                const std::function<Result<>(const std::string&)>& check) const {
  if (!asks_) return proposal;
  for (;;) {
    std::cerr << question << (proposal.empty() ? "" : " [" + os::printable(proposal) + "]") << ": " << std::flush;
    std::string answer;
    if (!std::getline(std::cin, answer)) {
      std::cerr << '\n';
      return failure(ErrorCode::cancelled, "", "the questions were not answered; nothing was changed");
    }
    while (!answer.empty() && (answer.back() == ' ' || answer.back() == '\r'))
      answer.pop_back();
    if (answer.empty()) answer = proposal;
    const auto good = check ? check(answer) : Result<>();
    if (good) return answer;
    std::cerr << "  " << good.error().message() << '\n';
  }
}

}  // namespace maildirsync::cli
