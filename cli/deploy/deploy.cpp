#include "cli/deploy/deploy.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/deploy/bundle.h"
#include "cli/deploy/here.h"
#include "cli/deploy/scripts.h"
#include "cli/deploy/steps.h"
#include "cli/deploy/there.h"
#include "cli/deploy/tunnel.h"
#include "cli/report/fields.h"
#include "common/os/host.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

constexpr double k_install_seconds = 3600;
constexpr const char* k_agent = "maildirsync-agent";
constexpr const char* k_receiver = "maildirsyncd";

class Deployment {
 public:
  Deployment(const Options& options, const DeployArguments& arguments)
      : options_(options),
        arguments_(arguments),
        wishes_(arguments.wishes),
        there_(arguments.ssh, arguments.destination, arguments.prefix) {}

  int deploy() {
    if (const auto looked = look(); !looked) return fail(options_, looked.error());
    const auto steps = plan_deploy(there_.found(), bundle_name_, wishes_, os::exists(receiver_config()), there_.name(),
                                   there_.prefix());
    for (const auto& planned : steps) {
      tell((arguments_.dry_run ? "would " : "") + planned.sentence);
      if (arguments_.dry_run) continue;
      if (const auto done = take(planned.step); !done) {
        const int status = fail(options_, done.error());
        undo();
        return status;
      }
    }
    if (options_.json) print(to_line({{"done", !arguments_.dry_run}, {"healthy", healthy_}, {"steps", steps.size()}}));
    if (healthy_ && !arguments_.dry_run && wishes_.paused)
      tell("The agent is paused and copies nothing; when it is to begin, on " + there_.name() + ": maildirsync resume");
    return healthy_ ? k_exit_done : k_exit_incomplete;
  }

 private:
  struct Undo {
    std::string sentence;
    std::function<void()> act;
  };

  void undo() {
    for (auto one = undo_.rbegin(); one != undo_.rend(); ++one) {
      tell("undo: " + one->sentence);
      one->act();
    }
    undo_.clear();
  }

  Result<> look() {
    if (!arguments_.bundle.empty()) {
      MAILDIRSYNC_TRY(open_bundle(arguments_.bundle));
    }
    MAILDIRSYNC_TRY(there_.look());
    bundle_name_ = {MAILDIRSYNC_VERSION, there_.found().architecture, 0};
    if (!bundle_ && there_.found().package.empty()) {
      const std::string usual = usual_bundle(os::own_prefix(), MAILDIRSYNC_VERSION, there_.found().architecture);
      if (!os::exists(usual)) {
        return failure(ErrorCode::config, "",
                       fmt::format("there is no bundle for it ({}): install the package maildirsync-bundle here, or "
                                   "name the archive for {} with --bundle FILE (packaging/bundle in the source makes "
                                   "it on a machine of that architecture)",
                                   usual, there_.found().architecture));
      }
      MAILDIRSYNC_TRY(open_bundle(usual));
    }
    if (bundle_) bundle_name_ = bundle_->name();
    if (const auto why = obstacle(there_.found(), bundle_name_, there_.prefix()))
      return failure(ErrorCode::config, "", "on " + there_.name() + ": " + *why);
    wishes_.tunnel |= has_tunnel(tunnel_name(there_.name()));
    return {};
  }

  Result<> open_bundle(const std::string& path) {
    auto opened = Bundle::open(path);
    if (!opened) return Failure(opened.error());
    bundle_ = std::make_unique<Bundle>(std::move(*opened));
    return {};
  }

  Result<> take(DeployStep step) {
    switch (step) {
      case DeployStep::install:
        return install();
      case DeployStep::configure:
        return configure();
      case DeployStep::receiver:
        return make_receiver();
      case DeployStep::pair_here:
        return pair_here();
      case DeployStep::tunnel:
        return make_line();
      case DeployStep::pair_there:
        return pair_there();
      case DeployStep::start:
        return start();
      case DeployStep::doctor_there: {
        MAILDIRSYNC_ASSIGN(const auto said, there_.ssh().run(doctor_script(there_.program()), k_step_seconds));
        return examined(said,
                        wishes_.tunnel ? "" : "if no line leads from there to here, run this again with --tunnel");
      }
      case DeployStep::doctor_here: {
        MAILDIRSYNC_ASSIGN(const auto said,
                           run_caught({"/proc/self/exe", "doctor", "--config", receiver_config()}, {}, k_step_seconds));
        return examined(said, "");
      }
    }
    return {};
  }

  Result<> install() {
    MAILDIRSYNC_TRY(bundle_->rewind());
    // First, for a connection that breaks off in the midst.
    if (there_.found().bundle.empty())
      undo_remote(there_.found().has_config || there_.found().has_state ? Removal::programs : Removal::everything);
    MAILDIRSYNC_ASSIGN(const auto said,
                       there_.ssh().run_with(
                           install_line(there_.prefix()), [this] { return bundle_->next(); }, k_install_seconds));
    if (bundle_->failed()) return failure(ErrorCode::io, "", "the bundle could not be read to its end");
    std::istringstream lines(said.out);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("install: ")) tell("  " + without_name(line));
    }
    if (said.good()) return {};
    undo_.clear();  // it has left nothing
    return there_.failed(said.last_words());
  }

  void undo_remote(Removal removal) {
    undo_.push_back({"take away what was made on " + there_.name(), [this, removal] {
                       const auto said = there_.ssh().run(remove_script(there_.prefix(), removal), k_step_seconds);
                       if (!said || !said->good())
                         complain("something may be left there; when it answers: maildirsync deploy --remove " +
                                  there_.name());
                     }});
  }

  Result<> configure() {
    if (!there_.found().has_config && (!there_.found().package.empty() || there_.found().has_state))
      undo_remote(Removal::configuration);
    MAILDIRSYNC_ASSIGN(const auto said,
                       there_.must_run(configure_script(there_.program(), arguments_.setup_agent), k_step_seconds));
    MAILDIRSYNC_ASSIGN(const auto json, json_of(said));
    agent_line_ = text_of(json, "line");
    return {};
  }

  Result<> make_receiver() {
    std::vector<std::string> words{"setup", "receiver", "--yes", "--no-start"};
    words.insert(words.end(), arguments_.setup_receiver.begin(), arguments_.setup_receiver.end());
    MAILDIRSYNC_TRY(run_here(std::move(words)));
    return {};
  }

  Result<> pair_here() {
    const auto before = receivers_peer_files();
    std::vector<std::string> words{"pair", "--config", receiver_config()};
    words.insert(words.end(), arguments_.pair.begin(), arguments_.pair.end());
    if (wishes_.tunnel) {
      MAILDIRSYNC_ASSIGN(const auto listen, receivers_address());
      words.insert(words.end(), {"--address", "127.0.0.1:" + std::to_string(listen.port)});
    }
    words.push_back(agent_line_);
    const auto json = run_here(std::move(words));
    for (const auto& file : receivers_peer_files()) {
      if (before.contains(file) || file == receiver_config()) continue;
      undo_.push_back({"take " + file + " away here", [file] {
                         ::unlink(file.c_str());
                         run_here({"reload"});
                       }});
    }
    if (!json) return Failure(json.error());
    receiver_line_ = text_of(*json, "line");
    return {};
  }

  Result<> make_line() {
    MAILDIRSYNC_ASSIGN(const auto listen, receivers_address());
    const Tunnel tunnel = make_tunnel(there_.ssh().command(), there_.name(), listen);
    if (has_tunnel(tunnel.name)) return keep_tunnel(tunnel, there_.name());
    // Once by hand: a service could only say in a log what is wrong.
    auto command = tunnel.command;
    command.erase(std::remove(command.begin(), command.end(), "-N"), command.end());
    command.emplace_back("true");
    MAILDIRSYNC_ASSIGN(const auto said, run_caught(command, {}, k_step_seconds));
    if (!said.good()) {
      return failure(ErrorCode::unreachable, "",
                     fmt::format("no tunnel to {} can be kept ({}): root here needs a key for it without a passphrase, "
                                 "and sshd there must allow forwarding (AllowTcpForwarding)",
                                 there_.name(), said.last_words()));
    }
    undo_.push_back({"take the tunnel away", [name = tunnel.name] { remove_tunnel(name); }});
    return keep_tunnel(tunnel, there_.name());
  }

  Result<> pair_there() {
    MAILDIRSYNC_ASSIGN(const auto said,
                       there_.ssh().run(pair_script(there_.program(), receiver_line_, wishes_.paused), k_step_seconds));
    if (!said.good() && said.out.empty()) return there_.failed(said.last_words());
    MAILDIRSYNC_ASSIGN(const auto json, json_of(said));
    if (said.good()) return {};
    return there_.failed(reason_of(said, json));
  }

  Result<> start() {
    const std::string script = start_script(k_receiver, os::own_prefix());
    MAILDIRSYNC_ASSIGN(const auto here, run_caught({"/bin/sh", "-c", script}, {}, k_step_seconds));
    if (!here.good()) return failure(ErrorCode::io, "", "here: " + here.last_words());
    MAILDIRSYNC_ASSIGN(const auto said, there_.must_run(start_script(k_agent, there_.prefix()), k_step_seconds));
    if (!said.out.empty()) tell("  on " + there_.name() + ": " + said.last_words());
    return {};
  }

  Result<> examined(const Said& said, const std::string& advice) {
    if (options_.json) {
      tell(said.out);
    } else {
      print(said.out);
    }
    if (said.good()) return {};
    if (!said.err.empty()) tell(said.last_words());
    if (!advice.empty()) tell(advice);
    healthy_ = false;
    return {};
  }

  const Options& options_;
  const DeployArguments& arguments_;
  DeployWishes wishes_;
  There there_;
  BundleName bundle_name_;
  std::unique_ptr<Bundle> bundle_;
  std::string agent_line_, receiver_line_;
  std::vector<Undo> undo_;
  bool healthy_ = true;
};

}  // namespace

int deploy(const Options& options, const DeployArguments& arguments) {
  return Deployment(options, arguments).deploy();
}

}  // namespace maildirsync::cli
