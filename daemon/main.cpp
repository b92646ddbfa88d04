#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <iostream>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "common/config/document.h"
#include "common/config/landing.h"
#include "common/net/identity.h"
#include "common/os/boot.h"
#include "common/os/name_service.h"
#include "common/os/open_beneath.h"
#include "common/os/random.h"
#include "common/service/configuration.h"
#include "common/service/log.h"
#include "common/service/memory.h"
#include "common/service/privileges.h"
#include "common/service/program.h"
#include "common/service/service.h"
#include "daemon/session/receiver.h"

namespace {

using namespace maildirsync;

constexpr std::size_t k_instance_size = 16;

/// Sixteen bytes that name the state directory: an agent that finds others knows that another history begins here.
Result<std::string> instance_of(const std::string& state_dir) {
  if (::mkdir(state_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return os_failure(state_dir, "cannot make the state directory (state_dir)", errno);
  }
  const std::string path = state_dir + "/instance";
  if (auto known = os::read_file(path, k_instance_size); known && known->size() == k_instance_size) return *known;
  std::string instance(k_instance_size, '\0');
  if (!os::fill_with_random(instance.data(), instance.size())) {
    return os_failure("", "no random bytes can be had", errno);
  }
  const std::string between = path + ".new";
  const os::Fd fd(::open(between.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return os_failure(between, "cannot write to the state directory (state_dir)", errno);
  MAILDIRSYNC_TRY(os::write_all(fd.get(), instance, between));
  if (::fsync(fd.get()) != 0 || ::rename(between.c_str(), path.c_str()) != 0) {
    return os_failure(path, "cannot write to the state directory (state_dir)", errno);
  }
  return instance;
}

/// What --check-config finds out beyond the file itself.
Result<> check(const config::Receiver& config) {
  MAILDIRSYNC_TRY(config::check_landing(config));
  MAILDIRSYNC_TRY(daemon::make_peers(config));
  if (auto tls = net::make_context(net::Side::server, config.tls.certificate, config.tls.key); !tls)
    return Failure(tls.error());
  return {};
}

class Program {
 public:
  explicit Program(service::Options options) : options_(std::move(options)) {}

  Result<> start(config::Receiver config) {
    MAILDIRSYNC_TRY(os::check_confinement());
    MAILDIRSYNC_ASSIGN(auto instance, instance_of(config.state_dir));
    MAILDIRSYNC_ASSIGN(auto directories, daemon::ServedDirectories::open(config.state_dir));
    MAILDIRSYNC_ASSIGN(auto decisions, daemon::DecisionKeeper::open(config.state_dir));
    service::log_info("start version={} config={} confinement={}", MAILDIRSYNC_VERSION, config.file,
                      os::to_string(os::confinement()));
    auto control = control::Server::listen(
        loop_, config.control, [this](const auto& request, auto reply) { handle(request, std::move(reply)); });
    if (!control) return Failure(control.error());
    control_ = std::move(*control);
    if (config.metrics.listen) {
      MAILDIRSYNC_ASSIGN(metrics_, service::Metrics::listen(config.metrics.listen->text()));
    }
    MAILDIRSYNC_ASSIGN(auto mark, daemon::RunMark::begin(config.state_dir, os::boot_id()));
    if (mark.is_new()) {
      service::log_warning(
          "unclean-end number={} action=\"agents look again at what was acknowledged shortly before the machine's "
          "end\"",
          mark.last_unclean_end()->number);
    }
    MAILDIRSYNC_ASSIGN(receiver_,
                       daemon::Receiver::start(loop_, std::move(config), std::move(instance), std::move(mark),
                                               std::move(directories), std::move(decisions)));
    receiver_->note_configuration(configuration_);
    return {};
  }

  void run() {
    service::run(loop_, {.reload = [this] { (void)reload(); },
                         .summary = [this] { return receiver_->summary(); },
                         .each_second =
                             [this] {
                               receiver_->tick();
                               if (metrics_) metrics_->show(receiver_->metrics());
                             }});
    control_.reset();
    receiver_->stop();
    service::log_info("stop");
  }

 private:
  void handle(const nlohmann::json& request, const std::shared_ptr<control::Reply>& reply) {
    if (request["command"] != "reload") return receiver_->handle(request, reply);
    const auto done = reload();
    if (!done) return reply->finish(control::error("config", done.error().message()));
    reply->finish({{"ok", true}, {"message", options_.config + " was read anew"}});
  }

  Result<> reload() {
    service::Configuration read = read_configuration();
    auto config = config::read_receiver(options_.config);
    const std::string level = config ? config->log.level : "";
    const auto done = config ? receiver_->reload(std::move(*config)) : Result<>(Failure(config.error()));
    if (!done) {
      service::log_error("reload-refused detail=\"{}\" action=\"the old configuration stays\"", done.error().message());
      configuration_.refused = done.error().message();
    } else {
      if (options_.log_level.empty()) service::start_log(level);
      service::log_info("reloaded config={}", options_.config);
      configuration_ = std::move(read);
    }
    receiver_->note_configuration(configuration_);
    return done;
  }

  /// To be called before the file is read for good: what changes in between shows as a difference then.
  service::Configuration read_configuration() const {
    return {options_.config, config::digest_of_file(options_.config), std::time(nullptr), std::nullopt};
  }

  service::Options options_;
  service::Configuration configuration_ = read_configuration();
  asio::io_context loop_{1};
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<daemon::Receiver> receiver_;
  std::unique_ptr<service::Metrics> metrics_;
};

/// To systemd too: `systemctl status` shows no line of the log that is older than the wait for the next try.
int complain(const std::string& sentence) {
  service::notify_status(sentence);
  std::cerr << "maildirsyncd: " << sentence << '\n';
  return service::k_exit_configuration;
}

}  // namespace

int main(int argc, char** argv) try {
  os::begin_name_service();
  net::begin_openssl();
  auto [options, exit_status] = service::parse_options(
      argc, argv, "maildirsyncd", "Holds the mirror of other servers' Maildirs, as their agents send it.",
      "/etc/maildirsync/receiver.toml");
  if (exit_status) return *exit_status;
  auto config = config::read_receiver(options.config);
  if (!config) return complain(config.error().message());
  if (options.check_config) {
    if (const auto good = check(*config); !good) return complain(good.error().message());
    std::cout << options.config << ": good\n";
    return 0;
  }
  if (options.reload) return service::ask_to_reload("maildirsyncd", config->control);
  service::start_log(options.log_level.empty() ? config->log.level : options.log_level);
  service::raise_file_limit();
  if (!options.user.empty()) {
    const auto done = service::become(options.user, {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER},
                                      {config->state_dir, std::filesystem::path(config->control).parent_path()});
    if (!done) return complain(done.error().message());
  }
  service::bound_heap();
  std::signal(SIGPIPE, SIG_IGN);
  service::hold_signals();
  ::umask(0077);  // modes are set exactly, and nothing is open to others before that
  Program program(std::move(options));
  const std::string state_dir = config->state_dir;
  if (const auto started = program.start(std::move(*config)); !started)
    return complain(service::start_failure(started.error(), state_dir));
  program.run();
  return 0;
} catch (const std::exception& exception) {
  std::cerr << "maildirsyncd: " << exception.what() << '\n';
  return 1;
}
