#include <memory>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "common/net/identity.h"

namespace maildirsync::cli {

Run add_fingerprint(Parser& command) {
  auto file = std::make_shared<std::string>();
  command.add_option("FILE", *file, "a certificate in PEM form")->required();
  return [file](const Options& options) {
    const auto fingerprint = net::fingerprint_of_file(*file);
    if (!fingerprint) {
      complain(fingerprint.error().message());
      return k_exit_usage;
    }
    print(options.json ? to_line({{"fingerprint", *fingerprint}}) : *fingerprint + '\n');
    return k_exit_done;
  };
}

}  // namespace maildirsync::cli
