#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "common/config/config.h"
#include "common/config/landing.h"
#include "common/net/identity.h"
#include "common/os/boot.h"
#include "common/os/name_service.h"
#include "common/os/open_beneath.h"
#include "common/os/random.h"
#include "common/os/replace_file.h"
#include "common/service/configuration.h"
#include "common/service/daemon.h"
#include "common/service/log.h"
#include "common/service/program.h"
#include "common/service/service.h"
#include "daemon/session/receiver.h"

namespace {

using namespace maildirsync;

constexpr std::size_t k_instance_size = 16;

/// Sixteen bytes that name the state directory: an agent that finds others knows that another history begins here.
Result<std::string> instance_of(const std::string& state_dir) {
  MAILDIRSYNC_TRY(service::make_state_directory(state_dir));
  const std::string path = state_dir + "/instance";
  if (auto known = os::read_file(path, k_instance_size); known && known->size() == k_instance_size) return *known;
  MAILDIRSYNC_ASSIGN(auto instance, os::random_bytes(k_instance_size));
  MAILDIRSYNC_TRY(os::replace_file(path, instance));
  return instance;
}

class Program {
 public:
  explicit Program(service::Options options) : options_(std::move(options)) {
    ::umask(0077);  // modes are set exactly, and nothing is open to others before that
  }

  static Result<config::Receiver> read(const std::string& file) { return config::read_receiver(file); }
  static Result<> check(const config::Receiver& config) {
    MAILDIRSYNC_TRY(config::check_landing(config));
    MAILDIRSYNC_TRY(daemon::make_peers(config));
    MAILDIRSYNC_TRY(net::make_context(net::Side::server, config.tls.certificate, config.tls.key));
    return {};
  }

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
    service::answer_reload(*reply, options_.config, reload());
  }

  Result<> reload() {
    auto read = service::Configuration::of(options_.config);
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

  service::Options options_;
  service::Configuration configuration_ = service::Configuration::of(options_.config);
  asio::io_context loop_{1};
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<daemon::Receiver> receiver_;
  std::unique_ptr<service::Metrics> metrics_;
};

}  // namespace

int main(int argc, char** argv) {
  os::begin_name_service();
  net::begin_openssl();
  return service::run_daemon<Program>(argc, argv,
                                      {"maildirsyncd",
                                       "Holds the mirror of other servers' Maildirs, as their agents send it.",
                                       "/etc/maildirsync/receiver.toml",
                                       {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER}});
}
