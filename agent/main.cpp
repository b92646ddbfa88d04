#include <cstring>

#include <nlohmann/json.hpp>

#include "agent/engine/engine.h"
#include "agent/requests/requests.h"
#include "agent/requests/status.h"
#include "common/config/config.h"
#include "common/net/identity.h"
#include "common/os/boot.h"
#include "common/os/name_service.h"
#include "common/os/open_beneath.h"
#include "common/os/random.h"
#include "common/service/configuration.h"
#include "common/service/daemon.h"
#include "common/service/log.h"
#include "common/service/metrics.h"
#include "common/service/program.h"
#include "common/service/service.h"

namespace {

using namespace maildirsync;

constexpr std::size_t k_instance_size = 16;

Result<agent::LinkSettings> link_settings(const config::Agent& config) {
  MAILDIRSYNC_ASSIGN(auto tls, net::make_context(net::Side::client, config.tls.certificate, config.tls.key));
  MAILDIRSYNC_ASSIGN(auto own, net::fingerprint_of_file(config.tls.certificate));
  agent::LinkSettings settings;
  settings.receiver = config.receiver;
  settings.tls = tls;
  settings.own_fingerprint = own;
  settings.receiver_fingerprint = config.tls.receiver_fingerprint;
  for (const auto& root : config.roots)
    settings.roots.push_back(root.name);
  settings.bandwidth_limit = config.transfer.bandwidth_limit;
  return settings;
}

/// Who we are to the receiver, and whether the last run ended so that the state can be trusted: after a crash of the
/// whole machine the database may lack its tail.
Result<bool> begin_run(agent::State& state, agent::LinkSettings& link) {
  MAILDIRSYNC_ASSIGN(auto instance, state.value("instance"));
  if (!instance) {
    MAILDIRSYNC_ASSIGN(instance, os::random_bytes(k_instance_size));
    MAILDIRSYNC_TRY(state.set_value("instance", *instance));
  }
  link.instance = *instance;
  MAILDIRSYNC_ASSIGN(const auto session, os::random_bytes(sizeof link.session));
  std::memcpy(&link.session, session.data(), session.size());
  MAILDIRSYNC_ASSIGN(auto boot, state.value("running_since_boot"));
  const bool unclean = boot && !boot->empty();
  const bool compare = unclean && *boot != os::boot_id();
  MAILDIRSYNC_TRY(state.set_value("running_since_boot", os::boot_id()));
  return compare;
}

class Program {
 public:
  explicit Program(service::Options options) : options_(std::move(options)) {}
  ~Program() {
    if (engine_) engine_->stop();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  static Result<config::Agent> read(const std::string& file) { return config::read_agent(file); }
  static Result<> check(const config::Agent& config) {
    MAILDIRSYNC_TRY(link_settings(config));
    return {};
  }

  Result<> start(config::Agent config) {
    MAILDIRSYNC_TRY(os::check_confinement());
    MAILDIRSYNC_ASSIGN(auto link, link_settings(config));
    MAILDIRSYNC_TRY(service::make_state_directory(config.state_dir));
    MAILDIRSYNC_ASSIGN(auto state, agent::State::open(config.state_dir));
    MAILDIRSYNC_ASSIGN(auto decisions, agent::Decisions::open(loop_, config.state_dir));
    MAILDIRSYNC_ASSIGN(auto watcher, agent::choose_watcher(config.watch.backend, config.roots));
    MAILDIRSYNC_ASSIGN(auto compare, begin_run(*state, link));
    state_ = state.get();
    MAILDIRSYNC_ASSIGN(control_,
                       control::Server::listen(loop_, config.control, [this](const auto& request, auto reply) {
                         handle(request, std::move(reply));
                       }));
    if (config.metrics.listen) {
      MAILDIRSYNC_ASSIGN(auto metrics, service::Metrics::listen(config.metrics.listen->text()));
      metrics_ = std::move(metrics);
    }
    service::log_info("start version={} config={} receiver={} fingerprint={} confinement={}", MAILDIRSYNC_VERSION,
                      config.file, config.receiver.text(), link.own_fingerprint, os::to_string(os::confinement()));
    if (state_->was_reset()) {
      service::log_error(
          "state-damaged file={}/state.db action=\"put aside as state.db.corrupt-TIME; a new one was begun, and all is "
          "compared with the receiver\"",
          config.state_dir);
    }
    service::log_info("watch backend={} reason=\"{}\"", watcher.watcher->backend(), watcher.reason);
    engine_ = std::make_unique<agent::Engine>(
        loop_, agent::Engine::Given{std::move(config), std::move(state), std::move(decisions), std::move(watcher),
                                    std::move(link), compare});
    engine_->note_configuration(configuration_);
    requests_ = std::make_unique<agent::Requests>(engine_->parts());
    return engine_->start(*requests_);
  }

  void run() {
    service::run(loop_, {.reload = [this] { (void)reload(); },
                         .summary = [this] { return agent::summary(requests_->parts()); },
                         .each_second =
                             [this] {
                               if (metrics_) metrics_->show(agent::metrics(*requests_));
                             }});
    control_.reset();
    engine_->stop();
    if (const auto stored = state_->set_value("running_since_boot", ""); !stored) {
      service::log_error("state-failed detail=\"{}\"", stored.error().message());
    }
    requests_.reset();
    engine_.reset();
    service::log_info("stop");
  }

 private:
  void handle(const nlohmann::json& request, std::shared_ptr<control::Reply> reply) {
    if (request["command"] != "reload") return requests_->handle(request, std::move(reply));
    service::answer_reload(*reply, options_.config, reload());
  }

  Result<> reload() {
    auto read = service::Configuration::of(options_.config);
    auto config = config::read_agent(options_.config);
    auto link = config ? link_settings(*config) : Result<agent::LinkSettings>(Failure(config.error()));
    if (!link) {
      service::log_error("reload-refused detail=\"{}\" action=\"the old configuration stays\"", link.error().message());
      return refuse(link.error());
    }
    if (options_.log_level.empty()) service::start_log(config->log.level);
    if (const auto done = engine_->reload(std::move(*config), std::move(*link)); !done) {
      service::log_error("reload-failed detail=\"{}\"", done.error().message());
      return refuse(done.error());
    }
    service::log_info("reloaded config={}", options_.config);
    configuration_ = std::move(read);
    engine_->note_configuration(configuration_);
    return {};
  }

  Failure refuse(const Error& error) {
    configuration_.refused = error.message();
    engine_->note_configuration(configuration_);
    return Failure(error);
  }

  service::Options options_;
  service::Configuration configuration_ = service::Configuration::of(options_.config);
  asio::io_context loop_{1};
  agent::State* state_ = nullptr;
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<agent::Engine> engine_;
  std::unique_ptr<agent::Requests> requests_;
  std::unique_ptr<service::Metrics> metrics_;
};

}  // namespace

int main(int argc, char** argv) {
  os::begin_name_service();
  net::begin_openssl();
  return service::run_daemon<Program>(argc, argv,
                                      {"maildirsync-agent",
                                       "Watches Maildir trees and keeps the mirror on a receiver equal to them.",
                                       "/etc/maildirsync/agent.toml",
                                       {CAP_DAC_READ_SEARCH}});
}
