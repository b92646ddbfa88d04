#include "cli/deploy/deploy.h"

#include <memory>

#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/commands/commands.h"

namespace maildirsync::cli {

namespace {

struct Arguments {
  DeployArguments deploy;
  bool remove = false;
  std::vector<std::string> roots, layouts, paths, owners;
  std::string listen, address, name;
  bool replace = false;
};

void add(std::vector<std::string>& words, const char* option, const std::vector<std::string>& values) {
  for (const auto& value : values) {
    if (!value.empty()) words.insert(words.end(), {option, value});
  }
}

int run(const Options& options, Arguments arguments) {
  DeployArguments& deployed = arguments.deploy;
  std::string wrong;
  if (deployed.destination.empty() || deployed.destination.front() == '-')
    wrong = "name the old server, as for ssh: root@old.example.org";
  if (!is_good_prefix(deployed.prefix))
    wrong = "--into " + deployed.prefix + ": an absolute path of letters, digits and ._-/ is needed";
  if (deployed.ssh.find_first_not_of(' ') == std::string::npos) wrong = "--ssh names no program";
  if (::geteuid() != 0) wrong = "run it as root: it configures the receiver here, too";
  if (!wrong.empty()) {
    complain(wrong);
    return k_exit_usage;
  }
  if (arguments.remove) return remove_deployed(options, deployed);
  add(deployed.setup_agent, "--root", arguments.roots);
  add(deployed.setup_agent, "--accounts", arguments.layouts);
  if (arguments.listen.empty() && deployed.wishes.tunnel) arguments.listen = "127.0.0.1:4465";
  add(deployed.setup_receiver, "--listen", {arguments.listen});
  if (arguments.paths.size() == 1)
    add(deployed.setup_receiver, "--path", {arguments.paths.front().substr(arguments.paths.front().find('=') + 1)});
  add(deployed.pair, "--path", arguments.paths);
  add(deployed.pair, "--owner", arguments.owners);
  add(deployed.pair, "--name", {arguments.name});
  if (!deployed.wishes.tunnel) add(deployed.pair, "--address", {arguments.address});
  if (arguments.replace) deployed.pair.emplace_back("--replace");
  return deploy(options, deployed);
}

}  // namespace

Run add_deploy(Parser& command) {
  auto arguments = std::make_shared<Arguments>();
  DeployArguments& deploy = arguments->deploy;
  command.add_option("DESTINATION", deploy.destination, "the old server, as for ssh: root@old.example.org")
      ->required()
      ->type_name("DESTINATION");
  command.add_flag("--paused", deploy.wishes.paused, "copy nothing until `maildirsync resume` there");
  command.add_flag("--tunnel", deploy.wishes.tunnel, "keep an ssh tunnel, where no line leads from there to here");
  command.add_flag("--dry-run", deploy.dry_run, "look, and say what would be done");
  command.add_flag("--remove", arguments->remove, "take all of it away again, and say what was left");
  command.add_option("--bundle", deploy.bundle, "the archive to install there; without it the one of the package here")
      ->type_name("FILE");
  command.add_option("--into", deploy.prefix, "where it is installed there")
      ->type_name("DIRECTORY")
      ->capture_default_str();
  command.add_option("--ssh", deploy.ssh, "the ssh to use, with its options")
      ->type_name("COMMAND")
      ->capture_default_str();
  command.add_option("--root", arguments->roots, "a tree there that holds accounts; without it, what is found")
      ->type_name("[NAME=]PATH")
      ->allow_extra_args(false);
  command.add_option("--accounts", arguments->layouts, "where each Maildir lies below it, such as %d/%n/Maildir")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command.add_option("--path", arguments->paths, "where a root lands here, as with pair")
      ->type_name("[ROOT=]DIRECTORY")
      ->allow_extra_args(false);
  command.add_option("--owner", arguments->owners, "who owns a root's mail here, as with pair")
      ->type_name("[ROOT=]USER:GROUP")
      ->allow_extra_args(false);
  command.add_option("--name", arguments->name, "what to call the old server here, as with pair")->type_name("NAME");
  command.add_option("--address", arguments->address, "how the old server reaches this one, as with pair")
      ->type_name("HOST[:PORT]");
  command.add_option("--listen", arguments->listen, "where the receiver listens, if it has no configuration yet")
      ->type_name("ADDRESS:PORT");
  command.add_flag("--replace", arguments->replace, "the agent of that name has a new key, as with pair");
  command.footer(
      "Run again, it repairs or upgrades. Exit status: 0 done and healthy, 1 not, 2 wrong usage or something in the "
      "way, with nothing changed.");
  return [arguments](const Options& options) { return run(options, *arguments); };
}

}  // namespace maildirsync::cli
