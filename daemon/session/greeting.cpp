// How a session begins: the handshake, which proves whose key it is, and the greeting, in which both sides say what
// they know.

#include <asio/ssl/stream.hpp>

#include "common/net/await.h"
#include "common/os/clock.h"
#include "common/os/host.h"
#include "common/os/printable.h"
#include "common/service/log.h"
#include "common/wire/convert.h"
#include "common/wire/decisions.h"
#include "daemon/session/destinations.h"
#include "daemon/session/on_thread.h"
#include "daemon/session/session.h"

namespace maildirsync::daemon {

using namespace std::chrono_literals;

using net::k_await;

namespace {

std::string refusal_of(const wire::Hello& hello) {
  if (hello.version() != wire::k_version) {
    return "protocol version " + std::to_string(hello.version()) + " is not spoken here, only version " +
           std::to_string(wire::k_version) + "; install the same release of maildirsync on both servers";
  }
  if (hello.instance().size() != 16) return "the greeting names no instance of 16 bytes";
  return "";
}

std::string refusal_of(const PeerLoad& load) {
  if (load.connections < PeerLoad::k_connections) return "";
  return "this agent has " + std::to_string(PeerLoad::k_connections) +
         " connections already, as many as the receiver takes of one; if its key was copied, change it";
}

Speaker process_of(const wire::Hello& hello, const std::string& address) {
  const auto& place = hello.place();
  return {.session = hello.session(),
          .instance = hello.instance(),
          .host = os::printable(hello.host()),
          .address = address.substr(0, address.rfind(':')),
          .tells_place = hello.has_place(),
          .home = place.home(),
          .machine = place.machine(),
          .hardware = place.hardware(),
          .lease = {place.lease().number(), os::printable(place.lease().id())}};
}

}  // namespace

/// Any key may finish the handshake, which proves that the peer has it; only a known one gets further. So both sides
/// can say which key was shown and which was wanted.
asio::awaitable<Result<>> Session::handshake() {
  auto shown = std::make_shared<std::string>();
  net::pin_peer(channel_->stream(), [shown](const std::string& fingerprint) {
    *shown = fingerprint;
    return true;
  });
  const auto [failed] = co_await channel_->stream().async_handshake(asio::ssl::stream_base::server, k_await);
  if (failed) {
    co_return failure(ErrorCode::tls, "",
                      "the TLS handshake failed: " + failed.message() + "; our key is " + services_.own_fingerprint +
                          (shown->empty() ? "" : ", the peer's " + *shown));
  }
  peer_ = services_.find_peer(*shown);
  if (peer_) co_return Result<>{};
  const std::string sentence =
      "the agent shows the public key " + *shown + ", which is not a [[peer]]'s fingerprint here; our own key is " +
      services_.own_fingerprint + ". If it is the right agent, put its fingerprint into the receiver's configuration";
  std::string bytes;
  wire::encode(wire::goodbye(ErrorCode::tls, sentence), {}, bytes);
  co_await channel_->write(bytes);
  co_await channel_->close_gently(1s);
  // Which keys are known is for our log, and nothing for a stranger.
  co_return failure(ErrorCode::tls, "", sentence + "; " + services_.known_fingerprints() + "; nothing was received");
}

asio::awaitable<Result<>> Session::greet() {
  auto frame = co_await channel_->read();
  if (!frame) co_return Failure(frame.error());
  if (frame->header.has_goodbye()) {
    co_return failure(ErrorCode::tls, "", "the agent says: " + frame->header.goodbye().sentence());
  }
  if (!frame->header.has_hello()) co_return failure(ErrorCode::protocol, "", "the first frame is not a greeting");
  const auto& hello = frame->header.hello();
  // Configured anew since the handshake?
  const auto current = services_.find_peer(peer_->fingerprint);
  std::string refusal = current ? refusal_of(hello) : "this agent is not in the receiver's configuration any more";
  if (current) peer_ = current;
  load_ = services_.load_of(peer_->fingerprint);
  listings_.use(load_);
  if (refusal.empty()) refusal = refusal_of(*load_);
  wire::Header header;
  auto& reply = *header.mutable_hello();
  reply.set_version(wire::k_version);
  reply.set_software("maildirsyncd " MAILDIRSYNC_VERSION);
  reply.set_host(os::host_name());
  reply.set_instance(services_.instance);
  reply.set_refusal(refusal);
  if (const auto& end = services_.unclean_end) {
    reply.mutable_unclean_end()->set_number(end->number);
    reply.mutable_unclean_end()->set_since(end->since);
  }
  if (refusal.empty()) {
    co_await on_thread(services_.threads, [&] {
      look_at_destinations(*peer_, hello, services_.directories);
      return true;
    });
  }
  for (const auto& [name, root] : peer_->roots) {
    reply.add_roots(name);
    if (root.trash_days > 0) reply.add_trash(name);
    *reply.add_destinations() = destination_of(root);
  }
  reply.set_knows_looks(true);
  const auto now = os::wall_clock();
  reply.set_time(now);
  clock_offset_ = os::clock_offset(hello.time(), now, now);
  DecisionKeeper::Agent agent;
  if (refusal.empty()) {
    auto greeting = co_await take_decisions(hello, reply);
    if (!greeting) co_return Failure(greeting.error());
    agent = std::move(*greeting);
  }
  std::string bytes;
  wire::encode(header, {}, bytes);
  if (auto written = co_await channel_->write(bytes); !written) co_return written;
  if (!refusal.empty()) {
    co_await channel_->close_gently(1s);
    co_return failure(ErrorCode::protocol, "", "peer " + peer_->name + ": " + refusal);
  }
  greeted_ = peer_;
  connection_share_.emplace(load_, &PeerLoad::connections);
  connection_share_->set(1);
  unread_share_.emplace(load_, &PeerLoad::outgoing);
  // What one that is not obeyed opens is done before nothing.
  const auto run = judgement_.standing == Standing::obeyed
                       ? services_.number_of_run(peer_->fingerprint, hello.session())
                       : std::uint64_t{0};
  intake_ = std::make_unique<Intake>(peer_, sinks(), services_.part, run, services_.decisions, std::move(agent),
                                     services_.ownership, load_);
  heard_ = std::chrono::steady_clock::now();
  service::log_info("connected peer={} address={} host={} software=\"{}\" fingerprint={}", peer_->name, address_,
                    hello.host(), hello.software(), peer_->fingerprint);
  co_return Result<>{};
}

/// What either side knows of each root; what is newer of the agent's is kept before it is answered.
asio::awaitable<Result<DecisionKeeper::Agent>> Session::take_decisions(const wire::Hello& hello, wire::Hello& reply) {
  DecisionKeeper::Agent agent{.fingerprint = peer_->fingerprint,
                              .places = {},
                              .shared = {},
                              .keeps_decisions = hello.keeps_decisions(),
                              .run = hello.run(),
                              .session = hello.session(),
                              .roots = {},
                              .pause = {},
                              .process = process_of(hello, address_)};
  agent_session_ = hello.session();
  process_ = agent.process;
  process_.session = hello.session();
  tenure_ = services_.decisions.holders().tenure(peer_->fingerprint);
  for (const auto& [name, root] : peer_->roots) {
    if (root.directory && !root.directory->answers()) continue;  // what is written there cannot be read now
    agent.places[name] = root.path;
    if (root.is_shared) agent.shared.insert(name);
  }
  for (const auto& told : hello.decisions()) {
    auto chain = wire::from_wire(told);
    if (!chain) co_return Failure(chain.error());
    (told.root().empty() ? agent.pause : agent.roots[told.root()]) = std::move(*chain);
  }
  const auto answer = co_await ask_keeper(agent);
  judgement_ = answer.judgement;
  if (judgement_.standing != Standing::obeyed) {
    refusal_ = describe(answer.judgement.why, answer.holder, process_);
    service::log_warning("agent-held peer={} address={} host={} reason=\"{}\"", peer_->name, address_, hello.host(),
                         refusal_);
  } else if (process_.tells_place && agent_session_ != 0) {
    const Lease lease = tenure_->lease();
    reply.mutable_lease()->set_number(lease.number);
    reply.mutable_lease()->set_id(lease.id);
  }
  if (judgement_.standing == Standing::obeyed) {
    const auto copy =
        co_await on_thread(services_.threads, [&] { return services_.decisions.cutovers().of(agent.fingerprint); });
    reply.mutable_cutover()->set_revision(copy.revision);
    if (copy.revision > hello.cutover().revision()) reply.mutable_cutover()->set_record(copy.record);
  }
  reply.set_keeps_decisions(true);
  if (!agent.keeps_decisions) co_return agent;
  reply.set_run(answer.run);
  reply.set_older_state(answer.older_state);
  wire::to_wire(answer.pause, *reply.add_decisions());
  for (const auto& [name, known] : answer.roots) {
    auto& out = *reply.add_decisions();
    out.set_root(name);
    wire::to_wire(known.chain, out);
    if (!known.held) continue;
    out.set_held(static_cast<std::uint32_t>(known.held->code));
    out.set_detail(known.held->message());
  }
  agent.roots.clear();
  co_return agent;
}

}  // namespace maildirsync::daemon
