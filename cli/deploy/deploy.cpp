#include "cli/deploy/deploy.h"

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/ask/ask.h"
#include "cli/deploy/bundle.h"
#include "cli/deploy/scripts.h"
#include "cli/deploy/ssh.h"
#include "cli/deploy/tunnel.h"
#include "cli/report/fields.h"
#include "cli/setup/files.h"
#include "cli/setup/pair_line.h"
#include "cli/setup/places.h"
#include "common/config/config.h"
#include "common/config/document.h"
#include "common/os/host.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

constexpr double k_patience_seconds = 180;  // somebody may be typing a password
constexpr double k_install_seconds = 3600;
constexpr const char* k_agent = "maildirsync-agent";
constexpr const char* k_receiver = "maildirsyncd";

void tell(const std::string& line) {
  std::cerr << line << '\n' << std::flush;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(word);
  return words;
}

std::string without_name(std::string sentence) {
  for (const char* name : {"maildirsync: ", "install: ", "uninstall: "}) {
    if (sentence.starts_with(name)) sentence.erase(0, std::string(name).size());
  }
  return sentence;
}

std::string receiver_config() {
  return places_of(Role::receiver, "", "").config;
}

class Deployment {
 public:
  Deployment(const Options& options, const DeployArguments& arguments)
      : options_(options),
        arguments_(arguments),
        wishes_(arguments.wishes),
        ssh_(words_of(arguments.ssh), arguments.destination) {}

  int deploy() {
    if (const auto looked = look(); !looked) return fail(looked.error());
    const auto steps = plan_deploy(server_, bundle_name_, wishes_, os::exists(receiver_config()), ssh_.destination(),
                                   arguments_.prefix);
    for (const auto& planned : steps) {
      tell((arguments_.dry_run ? "would " : "") + planned.sentence);
      if (arguments_.dry_run) continue;
      if (const auto done = take(planned.step); !done) {
        const int status = fail(done.error());
        undo();
        return status;
      }
    }
    if (options_.json) print(to_line({{"done", !arguments_.dry_run}, {"healthy", healthy_}, {"steps", steps.size()}}));
    if (healthy_ && !arguments_.dry_run && wishes_.paused)
      tell("The agent is paused and copies nothing; when it is to begin, on " + ssh_.destination() +
           ": maildirsync resume");
    return healthy_ ? k_exit_done : k_exit_incomplete;
  }

  int remove() {
    const auto looked = look_at_server();
    if (!looked) return fail(looked.error());
    if (server_.has_receiver || (server_.bundle.empty() && !server_.package.empty())) {
      return fail(
          {ErrorCode::config, "",
           server_.has_receiver
               ? fmt::format("the maildirsync in {} on {} serves a receiver, too; take it away there: {}/uninstall",
                             arguments_.prefix, ssh_.destination(), arguments_.prefix)
               : fmt::format("maildirsync is a package on {}: remove it there with the package manager",
                             ssh_.destination())});
    }
    if (server_.bundle.empty() && (server_.has_config || server_.has_state)) {
      return fail({ErrorCode::config, "",
                   fmt::format("there is no bundle in {} on {}: say where it is with --into DIRECTORY",
                               arguments_.prefix, ssh_.destination())});
    }
    tell((arguments_.dry_run ? "would take away" : "taking away") +
         std::string(" the agent, its configuration, key and state on ") + ssh_.destination() +
         ", and what this server knows of it");
    if (arguments_.dry_run) return k_exit_done;
    const auto said = must_run(remove_script(arguments_.prefix, Removal::everything), k_patience_seconds);
    if (!said) return fail(said.error());
    std::string fingerprint;
    std::istringstream lines(said->out);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("fingerprint ")) fingerprint = line.substr(line.find(' ') + 1);
      if (line.starts_with("left "))
        print("left on " + ssh_.destination() + ": " + line.substr(line.find(' ') + 1) + '\n');
    }
    if (remove_tunnel(tunnel_name(ssh_.destination()))) tell("the tunnel is gone");
    forget_peer(fingerprint);
    tell("maildirsync is gone from " + ssh_.destination());
    return k_exit_done;
  }

 private:
  struct Undo {
    std::string sentence;
    std::function<void()> act;
  };

  int fail(const Error& error) const {
    complain(error.message());
    if (options_.json) print(to_line({{"done", false}, {"healthy", false}, {"detail", error.message()}}));
    return error.code == ErrorCode::config ? k_exit_usage : k_exit_incomplete;
  }

  void undo() {
    for (auto one = undo_.rbegin(); one != undo_.rend(); ++one) {
      tell("undo: " + one->sentence);
      one->act();
    }
    undo_.clear();
  }

  std::string program() const {
    return server_.package.empty() ? arguments_.prefix + "/bin/maildirsync" : "/usr/bin/maildirsync";
  }

  Failure there(std::string words) const {
    return failure(ErrorCode::io, "", "on " + ssh_.destination() + ": " + without_name(std::move(words)));
  }

  /// What a script said that ended well.
  Result<Said> must_run(const std::string& script, double seconds) const {
    MAILDIRSYNC_ASSIGN(auto said, ssh_.run(script, seconds));
    if (!said.good()) return there(said.last_words());
    return said;
  }

  /// The JSON of a command of ours.
  static Result<Json> json_of(const Said& said) {
    Json json = Json::parse(said.out, nullptr, false);
    if (json.is_discarded() || !json.is_object())
      return failure(ErrorCode::protocol, "", "an unexpected answer: " + said.last_words());
    for (const auto& note : list_of(json, "notes")) {
      if (note.is_string()) tell("  " + note.get<std::string>());
    }
    return json;
  }

  /// This same program, here.
  static Result<Json> run_here(std::vector<std::string> words) {
    words.insert(words.begin(), {"/proc/self/exe", "--json"});
    MAILDIRSYNC_ASSIGN(const auto said, run_caught(words, {}, k_patience_seconds));
    if (!said.good() && said.out.empty()) return failure(ErrorCode::io, "", "here: " + without_name(said.last_words()));
    MAILDIRSYNC_ASSIGN(auto json, json_of(said));
    if (said.good()) return json;
    const auto& notes = list_of(json, "notes");
    return failure(ErrorCode::io, "", "here: " + (notes.empty() ? said.last_words() : notes.back().dump()));
  }

  Result<> look_at_server() {
    tell("looking at " + ssh_.destination());
    MAILDIRSYNC_ASSIGN(const auto said, ssh_.run(look_script(arguments_.prefix), k_patience_seconds));
    MAILDIRSYNC_ASSIGN(server_, parse_old_server(said.out));
    for (const auto& line : describe(server_))
      tell("  " + line);
    if (!server_.is_root && server_.has_sudo) ssh_.use_sudo();
    return {};
  }

  Result<> look() {
    if (!arguments_.bundle.empty()) {
      MAILDIRSYNC_TRY(open_bundle(arguments_.bundle));
    }
    MAILDIRSYNC_TRY(look_at_server());
    bundle_name_ = {MAILDIRSYNC_VERSION, server_.architecture, 0};
    if (!bundle_ && server_.package.empty()) {
      const std::string usual = usual_bundle(os::own_prefix(), MAILDIRSYNC_VERSION, server_.architecture);
      if (!os::exists(usual)) {
        return failure(ErrorCode::config, "",
                       fmt::format("there is no bundle for it ({}): install the package maildirsync-bundle here, or "
                                   "name the archive for {} with --bundle FILE (packaging/bundle in the source makes "
                                   "it on a machine of that architecture)",
                                   usual, server_.architecture));
      }
      MAILDIRSYNC_TRY(open_bundle(usual));
    }
    if (bundle_) bundle_name_ = bundle_->name();
    if (const auto why = obstacle(server_, bundle_name_, arguments_.prefix))
      return failure(ErrorCode::config, "", "on " + ssh_.destination() + ": " + *why);
    wishes_.tunnel |= has_tunnel(tunnel_name(ssh_.destination()));
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
        MAILDIRSYNC_ASSIGN(const auto said, ssh_.run(doctor_script(program()), k_patience_seconds));
        return examined(said,
                        wishes_.tunnel ? "" : "if no line leads from there to here, run this again with --tunnel");
      }
      case DeployStep::doctor_here: {
        MAILDIRSYNC_ASSIGN(const auto said, run_caught({"/proc/self/exe", "doctor", "--config", receiver_config()}, {},
                                                       k_patience_seconds));
        return examined(said, "");
      }
    }
    return {};
  }

  Result<> install() {
    MAILDIRSYNC_TRY(bundle_->rewind());
    // First, for a connection that breaks off in the midst.
    if (server_.bundle.empty())
      undo_remote(server_.has_config || server_.has_state ? Removal::programs : Removal::everything);
    MAILDIRSYNC_ASSIGN(const auto said,
                       ssh_.run_with(
                           install_line(arguments_.prefix), [this] { return bundle_->next(); }, k_install_seconds));
    if (bundle_->failed()) return failure(ErrorCode::io, "", "the bundle could not be read to its end");
    std::istringstream lines(said.out);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("install: ")) tell("  " + without_name(line));
    }
    if (said.good()) return {};
    undo_.clear();  // it has left nothing
    return there(said.last_words());
  }

  void undo_remote(Removal removal) {
    undo_.push_back({"take away what was made on " + ssh_.destination(), [this, removal] {
                       const auto said = ssh_.run(remove_script(arguments_.prefix, removal), k_patience_seconds);
                       if (!said || !said->good())
                         complain("something may be left there; when it answers: maildirsync deploy --remove " +
                                  ssh_.destination());
                     }});
  }

  Result<> configure() {
    if (!server_.has_config && (!server_.package.empty() || server_.has_state)) undo_remote(Removal::configuration);
    MAILDIRSYNC_ASSIGN(const auto said,
                       must_run(configure_script(program(), arguments_.setup_agent), k_patience_seconds));
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

  static std::set<std::string> peer_files() {
    const auto receiver = config::read_receiver(receiver_config());
    std::set<std::string> files;
    if (!receiver) return files;
    for (const auto& peer : receiver->peers)
      files.insert(peer.file);
    return files;
  }

  static Result<config::Endpoint> listens() {
    MAILDIRSYNC_ASSIGN(const auto document, config::read_document(receiver_config()));
    const config::Value* listen = document.find("listen");
    return config::parse_endpoint(listen == nullptr ? "" : listen->text);
  }

  Result<> pair_here() {
    const auto before = peer_files();
    std::vector<std::string> words{"pair", "--config", receiver_config()};
    words.insert(words.end(), arguments_.pair.begin(), arguments_.pair.end());
    if (wishes_.tunnel) {
      MAILDIRSYNC_ASSIGN(const auto listen, listens());
      words.insert(words.end(), {"--address", "127.0.0.1:" + std::to_string(listen.port)});
    }
    words.push_back(agent_line_);
    const auto json = run_here(std::move(words));
    for (const auto& file : peer_files()) {
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
    MAILDIRSYNC_ASSIGN(const auto listen, listens());
    const Tunnel tunnel = make_tunnel(ssh_.command(), ssh_.destination(), listen);
    if (has_tunnel(tunnel.name)) return keep_tunnel(tunnel, ssh_.destination());
    // Once by hand: a service could only say in a log what is wrong.
    auto command = tunnel.command;
    command.erase(std::remove(command.begin(), command.end(), "-N"), command.end());
    command.emplace_back("true");
    MAILDIRSYNC_ASSIGN(const auto said, run_caught(command, {}, k_patience_seconds));
    if (!said.good()) {
      return failure(ErrorCode::unreachable, "",
                     fmt::format("no tunnel to {} can be kept ({}): root here needs a key for it without a passphrase, "
                                 "and sshd there must allow forwarding (AllowTcpForwarding)",
                                 ssh_.destination(), said.last_words()));
    }
    undo_.push_back({"take the tunnel away", [name = tunnel.name] { remove_tunnel(name); }});
    return keep_tunnel(tunnel, ssh_.destination());
  }

  Result<> pair_there() {
    MAILDIRSYNC_ASSIGN(const auto said,
                       ssh_.run(pair_script(program(), receiver_line_, wishes_.paused), k_patience_seconds));
    if (!said.good() && said.out.empty()) return there(said.last_words());
    MAILDIRSYNC_ASSIGN(const auto json, json_of(said));
    if (said.good()) return {};
    const auto& notes = list_of(json, "notes");
    return there(notes.empty() ? said.last_words() : notes.back().dump());
  }

  Result<> start() {
    const std::string script = start_script(k_receiver, os::own_prefix());
    MAILDIRSYNC_ASSIGN(const auto here, run_caught({"/bin/sh", "-c", script}, {}, k_patience_seconds));
    if (!here.good()) return failure(ErrorCode::io, "", "here: " + here.last_words());
    MAILDIRSYNC_ASSIGN(const auto said, must_run(start_script(k_agent, arguments_.prefix), k_patience_seconds));
    if (!said.out.empty()) tell("  on " + ssh_.destination() + ": " + said.last_words());
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

  /// The peer of that key, if a file of its own holds it: nobody else is in there.
  static void forget_peer(const std::string& fingerprint) {
    const auto receiver = config::read_receiver(receiver_config());
    if (!receiver || fingerprint.empty()) return;
    for (const auto& peer : receiver->peers) {
      if (peer.fingerprint != fingerprint) continue;
      for (const auto& root : peer.roots)
        print("left here: the mail in " + root.path + '\n');
      if (peer.file == receiver_config()) {
        print("left here: the peer " + peer.name + " in " + peer.file + '\n');
        continue;
      }
      ::unlink(peer.file.c_str());
      tell(peer.file + " is gone here");
      if (const auto told = run_here({"reload"}); !told)
        tell("the receiver does not run: it reads that at its next start");
    }
  }

  const Options& options_;
  const DeployArguments& arguments_;
  DeployWishes wishes_;
  Ssh ssh_;
  OldServer server_;
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

int remove_deployed(const Options& options, const DeployArguments& arguments) {
  return Deployment(options, arguments).remove();
}

}  // namespace maildirsync::cli
