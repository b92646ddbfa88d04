#include <iostream>
#include <memory>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"
#include "common/net/identity.h"
#include "common/os/host.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  std::string prefix;
  std::string name;
};

std::string common_name() {
  const std::string host = os::host_name();
  return host.empty() ? "maildirsync" : host;  // both fit: a host's name has at most 64 characters, too
}

int keygen(const Options& options, const Arguments& arguments) {
  const std::string key = arguments.prefix + ".key";
  const std::string certificate = arguments.prefix + ".crt";
  const auto fingerprint = net::generate_identity(arguments.prefix, arguments.name);
  if (!fingerprint) {
    complain(fingerprint.error().message());
    return k_exit_usage;
  }
  if (options.json) {
    print(to_line({{"fingerprint", *fingerprint}, {"key", key}, {"certificate", certificate}}));
    return k_exit_done;
  }
  print(*fingerprint + '\n');
  std::cerr << "made " << key << " (secret, stays here) and " << certificate
            << "; the fingerprint goes into the other server's configuration\n";
  return k_exit_done;
}

}  // namespace

Run add_keygen(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  arguments->name = common_name();
  command.add_option("--out", arguments->prefix, "makes PREFIX.key and PREFIX.crt; never overwrites")
      ->type_name("PREFIX")
      ->required();
  command.add_option("--name", arguments->name, "the certificate's common name")
      ->type_name("CN")
      ->capture_default_str();
  return [arguments](const Options& options) { return keygen(options, *arguments); };
}

}  // namespace maildirsync::cli
