#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <nlohmann/json_fwd.hpp>

#include "common/control/server.h"
#include "common/net/tls.h"
#include "common/service/configuration.h"
#include "common/service/metrics.h"
#include "daemon/session/landing.h"
#include "daemon/session/peers.h"
#include "daemon/session/problems.h"
#include "daemon/session/session.h"
#include "daemon/session/state_room.h"
#include "daemon/session/stock_taker.h"
#include "daemon/session/trash_keeper.h"

namespace maildirsync::daemon {

/// The receiver: listens, owns the sessions, the threads and the committers. Lives on the event loop, which nothing
/// blocks: a directory of the destination may hang.
class Receiver {
 public:
  /// Fails with ErrorCode::config when something of the configuration does not work here (a port in use, an unknown
  /// user in an owner table). `instance` names our state directory, `mark` is in it, and `directories` are those that
  /// it remembers.
  static Result<std::unique_ptr<Receiver>> start(asio::io_context& loop, config::Receiver config, std::string instance,
                                                 RunMark mark, std::unique_ptr<ServedDirectories> directories,
                                                 std::unique_ptr<DecisionKeeper> decisions);
  ~Receiver();

  /// Ends all sessions; what was staged is still committed. Needs the loop no longer.
  void stop();
  /// To be called each second.
  void tick();
  /// SIGHUP: peers, owner tables, certificate. Sessions whose peer is unchanged go on.
  Result<> reload(config::Receiver config);

  /// Which configuration this is, for `status`.
  void note_configuration(service::Configuration configuration) { configuration_ = std::move(configuration); }

  void handle(const nlohmann::json& request, const std::shared_ptr<control::Reply>& reply);
  nlohmann::json status();
  std::string summary();
  std::vector<service::Metric> metrics();

 private:
  Receiver(asio::io_context& loop, config::Receiver config, std::string instance, RunMark mark,
           std::unique_ptr<ServedDirectories> directories, std::unique_ptr<DecisionKeeper> decisions);
  void disown(const nlohmann::json& request, const std::shared_ptr<control::Reply>& reply);
  Result<> use(const config::Receiver& config);
  void tell_ways(const std::vector<config::Peer>& told);
  Result<> listen();
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(asio::ip::tcp::socket socket);
  void look_at_directories();
  void use_owners(const config::Receiver& config);
  void release(const std::shared_ptr<control::Reply>& reply);
  std::size_t connections_of(const std::string& peer) const;
  bool is_of_holder(const Session& session, const std::string& fingerprint) const;
  void begin_with_processes();
  void look_at_processes();
  std::vector<std::shared_ptr<Session>> held_agents() const;
  void note_presence();
  void add_problems(nlohmann::json& problems);
  void make_room_for_one();

  asio::io_context& loop_;
  config::Receiver config_;
  service::Configuration configuration_;
  const std::unique_ptr<ServedDirectories> directories_;
  Peers peers_;
  /// By fingerprint: the session of the last run that greeted, and its number.
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> runs_;
  std::uint64_t newest_run_ = 0;
  std::map<std::string, std::shared_ptr<PeerLoad>> loads_;  ///< by fingerprint
  std::shared_ptr<asio::ssl::context> tls_;
  asio::ip::tcp::acceptor acceptor_;
  os::Threads threads_;
  std::unique_ptr<Ownership> ownership_;
  os::Strand ownership_uses_{threads_};  ///< the configurations that it is to go by, in their order
  std::unique_ptr<DecisionKeeper> decisions_;
  StockTaker stocks_;
  Committers committers_;
  TrashKeeper trash_;
  Services services_;
  Problems problems_;
  /// Of each configured peer: whether it is connected, and since when that is so.
  struct Presence {
    bool connected = false;
    std::chrono::steady_clock::time_point since;
  };
  std::map<std::string, Presence> presence_;
  std::set<std::shared_ptr<Session>> sessions_;
  RunMark mark_;
  int seconds_ = 0;
  asio::steady_timer look_timer_;
  Landing landing_;
  StateRoom state_room_;
  bool stopping_ = false;
};

}  // namespace maildirsync::daemon
