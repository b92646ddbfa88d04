#include "daemon/session/receiver.h"

#include <algorithm>
#include <future>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "common/net/await.h"
#include "common/net/identity.h"
#include "common/os/way_to_write.h"
#include "common/service/event.h"
#include "common/service/log.h"
#include "daemon/session/limits.h"

namespace maildirsync::daemon {

using nlohmann::json;

namespace {

using namespace std::chrono_literals;

using net::k_await;
constexpr std::size_t k_max_sessions = 1024;
constexpr std::size_t k_max_threads =
    4096;  // as many as a connection of each peer and its questions need, where all hang
constexpr std::size_t k_max_strangers = 128;   // connections that have not greeted
constexpr std::uint64_t k_failures_told = 20;  // a minute
constexpr std::size_t k_named_fingerprints = 8;
constexpr auto k_look_at_directories = 5s;

/// Connections that stage at the same moment; each may hold a part of its operations meanwhile.
constexpr std::size_t k_busy = 16;

void tell_way(const std::string& root, const std::string& path) {
  const auto directory = os::Directory::open_root(path);
  const auto ground = directory ? os::ground_of(directory->fd()) : Result<os::Ground>(Failure(directory.error()));
  if (!ground) {
    service::log_warning("root-way root={} path={} way=\"not known before it is there\" reason=\"{}\"", root, path,
                         ground.error().message());
  } else {
    service::log_info("root-way root={} path={} file_system={} kernel={}.{} way={}", root, path, ground->file_system,
                      ground->kernel.major, ground->kernel.minor, os::name_of(ground->way));
  }
}

Limits limits() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  return limits_of(limit.rlim_cur, k_busy);
}

}  // namespace

Receiver::Receiver(asio::io_context& loop, config::Receiver config, std::string instance, RunMark mark,
                   std::unique_ptr<ServedDirectories> directories, std::unique_ptr<DecisionKeeper> decisions)
    : loop_(loop),
      config_(std::move(config)),
      directories_(std::move(directories)),
      acceptor_(loop),
      threads_(k_max_threads),
      decisions_(std::move(decisions)),
      stocks_(loop, threads_, *decisions_),
      committers_(limits().most_waiting),
      trash_(loop, committers_),
      services_{.loop = loop,
                .threads = threads_,
                .committers = committers_,
                .directories = *directories_,
                .decisions = *decisions_,
                .part = limits().part,
                .instance = std::move(instance),
                .unclean_end = mark.last_unclean_end()},
      mark_(std::move(mark)),
      look_timer_(loop),
      landing_(loop, threads_),
      state_room_(loop, threads_, config_.state_dir) {
  services_.find_peer = [this](const std::string& fingerprint) {
    const auto found = peers_.find(fingerprint);
    return found == peers_.end() ? nullptr : found->second;
  };
  services_.number_of_run = [this](const std::string& fingerprint, std::uint64_t session) {
    auto& [last, number] = runs_[fingerprint];
    if (number == 0 || last != session) number = ++newest_run_;
    last = session;
    return number;
  };
  begin_with_processes();
  services_.load_of = [this](const std::string& fingerprint) {
    auto& load = loads_[fingerprint];
    if (!load) load = std::make_shared<PeerLoad>(loop_);
    return load;
  };
  services_.known_fingerprints = [this] {
    std::string text;
    std::size_t count = 0;
    for (const auto& [fingerprint, peer] : peers_) {
      if (++count > k_named_fingerprints) break;
      text += (text.empty() ? "known is " : ", ") + fingerprint;
    }
    return text.empty() ? "none is configured" : text;
  };
  directories_->on_put_back([this](const std::string& path) { decisions_->given(path)->forget(); });
  decisions_->on_drain([this](const std::string& fingerprint, const std::string& root, const std::string& place,
                              const std::string& drain) {
    stocks_.begin({fingerprint, root}, place, drain);
  });
  services_.trash_use = [this](const std::string& path) { return trash_.use_of(path); };
  services_.note = [this](const Peer& peer, const std::vector<Committed>& done) { problems_.note(peer, done); };
  services_.note_listing = [this](const std::string& account_key, const std::optional<Error>& error) {
    problems_.note_listing(account_key, error);
  };
}

Receiver::~Receiver() {
  stop();
}

Result<std::unique_ptr<Receiver>> Receiver::start(asio::io_context& loop, config::Receiver config, std::string instance,
                                                  RunMark mark, std::unique_ptr<ServedDirectories> directories,
                                                  std::unique_ptr<DecisionKeeper> decisions) {
  std::unique_ptr<Receiver> receiver(new Receiver(loop, std::move(config), std::move(instance), std::move(mark),
                                                  std::move(directories), std::move(decisions)));
  MAILDIRSYNC_ASSIGN(auto ownership, Ownership::open(receiver->config_.state_dir));
  receiver->ownership_ = std::move(ownership);
  receiver->services_.ownership = receiver->ownership_.get();
  receiver->stocks_.use(receiver->ownership_.get());
  MAILDIRSYNC_TRY(receiver->use(receiver->config_));
  receiver->tell_ways({});
  MAILDIRSYNC_TRY(receiver->listen());
  receiver->look_at_directories();
  asio::co_spawn(loop, receiver->accept(), asio::detached);
  return receiver;
}

void Receiver::stop() {
  if (stopping_) return;
  stopping_ = true;
  stocks_.stop();
  asio::error_code ignored;
  acceptor_.close(ignored);
  look_timer_.cancel();
  for (const auto& session : sessions_)
    session->end(ErrorCode::cancelled, "the receiver is being stopped");
  // The farewells, then the ends of all that uses the threads and the committers, before these go.
  std::vector<std::weak_ptr<Session>> open(sessions_.begin(), sessions_.end());
  const auto run_until = [&](auto done, std::chrono::milliseconds most) {
    loop_.restart();
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!done() && std::chrono::steady_clock::now() < deadline)
      loop_.run_one_for(5ms);
  };
  run_until([this] { return sessions_.empty(); }, 2s);
  threads_.stop();
  trash_.stop();
  committers_.stop(
      Committer::Waiting::is_dropped);  // nobody is left who could hear of it, and the agents send it again
  mark_.end();
  run_until(
      [&] { return std::all_of(open.begin(), open.end(), [](const auto& session) { return session.expired(); }); }, 1s);
}

Result<> Receiver::use(const config::Receiver& config) {
  MAILDIRSYNC_ASSIGN(auto peers, make_peers(config, directories_.get()));
  MAILDIRSYNC_ASSIGN(auto tls, net::make_context(net::Side::server, config.tls.certificate, config.tls.key));
  MAILDIRSYNC_ASSIGN(auto own, net::fingerprint_of_file(config.tls.certificate));
  peers_ = std::move(peers);
  trash_.use(config);
  use_owners(config);
  tls_ = std::move(tls);
  services_.own_fingerprint = std::move(own);
  std::vector<ConfiguredRoot> roots;
  for (const auto& peer : config.peers) {
    for (const auto& root : peer.roots)
      roots.push_back({peer.name, root.name, root.path});
  }
  directories_->configure(roots);
  return {};
}

/// What ended is written and synced, so on a thread. Waits a moment, not longer, so that whoever was configured for
/// what another had finds it free; a state directory that does not answer must not hold up the loop.
void Receiver::use_owners(const config::Receiver& config) {
  const auto told = std::make_shared<std::promise<void>>();
  auto done = told->get_future();
  ownership_uses_.post([this, told, config] {
    ownership_->use(config);
    told->set_value();
  });
  if (done.wait_for(Landing::k_most) != std::future_status::ready) {
    service::log_warning("owners-late seconds={} reason=\"the state directory does not answer\"",
                         Landing::k_most.count());
  }
}

/// How mail is written on each root's file system, once for each, and again when its path is another after a reload.
void Receiver::tell_ways(const std::vector<config::Peer>& told) {
  std::set<std::string> known;
  for (const auto& peer : told) {
    for (const auto& root : peer.roots)
      known.insert(root.path);
  }
  for (const auto& peer : config_.peers) {
    for (const auto& root : peer.roots) {
      if (!known.insert(root.path).second) continue;
      threads_.post([name = root.name, path = root.path] { tell_way(name, path); });
    }
  }
}

/// Now and then, on threads that may block.
void Receiver::look_at_directories() {
  directories_->look_at_all();
  landing_.look(config_);
  state_room_.look();
  look_timer_.expires_after(k_look_at_directories);
  look_timer_.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled && !stopping_) look_at_directories();
  });
}

Result<> Receiver::listen() {
  const auto cannot = [&](const asio::error_code& error) {
    return failure(
        ErrorCode::config, "",
        config_.file + ": cannot listen on " + config_.listen.text() + " (listen): " + error.message() +
            (error == asio::error::address_in_use ? "; another program, or another maildirsyncd, has the port"
                                                  : "; write an address of this machine"));
  };
  asio::error_code error;
  asio::ip::tcp::resolver resolver(loop_);
  const auto found = resolver.resolve(config_.listen.host, std::to_string(config_.listen.port),
                                      asio::ip::resolver_base::passive, error);
  if (error || found.empty()) return cannot(error);
  const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return cannot(error);
  service::log_info("listening address={} fingerprint={} peers={}", config_.listen.text(), services_.own_fingerprint,
                    peers_.size());
  return {};
}

asio::awaitable<void> Receiver::accept() {
  while (!stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(k_await);
    if (stopping_ || error == asio::error::operation_aborted) co_return;
    if (error || sessions_.size() >= k_max_sessions) {
      service::log_event({service::Severity::warning,
                          "accept-failed",
                          {{"reason", error ? error.message() : "too many connections"}},
                          k_failures_told});
      asio::steady_timer pause(loop_, 100ms);
      co_await pause.async_wait(k_await);
      continue;
    }
    make_room_for_one();
    asio::co_spawn(loop_, serve(std::move(socket)), asio::detached);
  }
}

/// Whoever finds the port may connect and say nothing: of those that have not greeted, the longest there goes, so that
/// they keep no agent out.
void Receiver::make_room_for_one() {
  std::size_t strangers = 0;
  std::shared_ptr<Session> longest;
  for (const auto& session : sessions_) {
    if (session->peer()) continue;
    ++strangers;
    if (!longest || session->begun() < longest->begun()) longest = session;
  }
  if (strangers >= k_max_strangers) longest->close();
}

asio::awaitable<void> Receiver::serve(asio::ip::tcp::socket socket) {
  asio::error_code ignored;
  const auto remote = socket.remote_endpoint(ignored);
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  const std::string address = remote.address().to_string() + ":" + std::to_string(remote.port());
  auto channel = std::make_shared<net::Channel>(net::TlsStream(std::move(socket), *tls_));
  const auto context = tls_;  // lives as long as its streams
  auto session = std::make_shared<Session>(services_, std::move(channel), address);
  sessions_.insert(session);
  try {
    co_await session->run();
  } catch (const std::exception& exception) {
    service::log_error("session-exception address={} what={}", address, exception.what());
  }
  sessions_.erase(session);
}

void Receiver::tick() {
  if (++seconds_ % RunMark::k_sign_of_life == 0) threads_.post([this] { mark_.live(); });
  look_at_processes();
}

Result<> Receiver::reload(config::Receiver config) {
  const auto before = config_;
  MAILDIRSYNC_TRY(landing_.check(config));
  MAILDIRSYNC_TRY(use(config));
  if (config.listen.text() != before.listen.text()) {
    service::log_warning("reload action=\"listen stays {} until a restart\"", before.listen.text());
  }
  for (const auto& session : sessions_) {
    if (!session->peer()) continue;
    const auto found = peers_.find(session->peer()->fingerprint);
    if (found != peers_.end()) {
      session->use(found->second);
    } else {
      session->end(ErrorCode::cancelled, "this peer is not in the receiver's configuration any more");
    }
  }
  config.listen = before.listen;
  config_ = std::move(config);
  tell_ways(before.peers);
  return {};
}

void Receiver::handle(const json& request, const std::shared_ptr<control::Reply>& reply) {
  const std::string command = request.value("command", "");
  if (command == "status") return reply->finish(status());
  if (command == "release") return release(reply);
  if (command == "restore") return trash_.restore(request, reply);
  if (command == "disown") return disown(request, reply);
  reply->finish({{"error",
                  {{"code", "usage"},
                   {"message", "the receiver only knows status, release, restore and disown; give '" + command +
                                   "' on the source server, to the agent"}}}});
}

/// A person says that the directories that are held are right as they are.
void Receiver::release(const std::shared_ptr<control::Reply>& reply) {
  threads_.post([this, reply] {
    auto taken = std::make_shared<std::vector<std::string>>();
    auto failed = std::make_shared<std::optional<Error>>();
    for (const auto& directory : directories_->held()) {
      if (auto done = directory->take(); done) {
        taken->push_back(directory->path());
      } else {
        *failed = std::move(done.error());
      }
    }
    asio::post(loop_, [reply, taken, failed] {
      if (*failed) return reply->finish(control::error(to_string((*failed)->code), (*failed)->message()));
      const std::string what = fmt::format("{}", fmt::join(*taken, ", "));
      reply->finish(
          {{"ok", true},
           {"released", taken->size()},
           {"message", taken->empty() ? "nothing was held"
                                      : "released: " + what + "; everything in it is compared with the source"}});
    });
  });
}

/// From now on another agent may bring these accounts. On the disk before it is answered.
void Receiver::disown(const json& request, const std::shared_ptr<control::Reply>& reply) {
  const std::string peer = request.value("peer", "");
  const bool known = std::any_of(config_.peers.begin(), config_.peers.end(),
                                 [&](const config::Peer& configured) { return configured.name == peer; });
  if (!known) return reply->finish(control::error("usage", "there is no peer '" + peer + "' in the configuration"));
  threads_.post([this, peer, root = request.value("root", ""), glob = request.value("account", ""), reply] {
    os::SyncSet sync;
    auto count = ownership_->disown(peer, root, glob);
    const auto added = ownership_->add_unsynced(sync);
    if (!added) count = Failure(added.error());
    const auto durable = sync.sync();
    if (added) ownership_->synced(*added, durable.has_value());
    if (!durable) count = Failure(durable.error());
    asio::post(loop_, [peer, count, reply] {
      if (!count) return reply->finish(control::error(to_string(count.error().code), count.error().message()));
      service::log_info("disowned peer={} accounts={}", peer, *count);
      reply->finish({{"ok", true},
                     {"accounts", *count},
                     {"message", std::to_string(*count) + (*count == 1 ? " account is" : " accounts are") +
                                     " free; the agent that brings one next has it"}});
    });
  });
}

}  // namespace maildirsync::daemon
