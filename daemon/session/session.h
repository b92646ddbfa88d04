#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "common/net/channel.h"
#include "common/os/threads.h"
#include "daemon/commit/committers.h"
#include "daemon/session/answers_in_order.h"
#include "daemon/session/intake.h"
#include "daemon/session/peer_load.h"
#include "daemon/session/run_mark.h"

namespace maildirsync::daemon {

/// What all sessions of a receiver share.
struct Services {
  asio::io_context& loop;
  os::Threads&
      threads;  ///< for all that blocks: a connection has one at a time, and up to PeerLoad::k_listings for comparisons
  Committers& committers;
  ServedDirectories& directories;
  DecisionKeeper& decisions;
  Ownership* ownership = nullptr;
  std::size_t part = 1;  ///< operations that a session stages before it asks the committer for room again
  std::string instance;  ///< 16 bytes: names our state directory
  std::optional<UncleanEnd> unclean_end;  ///< the last one
  std::string own_fingerprint;
  std::atomic<std::uint64_t> bytes_read{0};
  /// Event loop: who a fingerprint is; null for nobody of ours.
  std::function<std::shared_ptr<const Peer>(const std::string& fingerprint)> find_peer;
  /// Event loop: numbers the runs of an agent in the order in which they greet.
  std::function<std::uint64_t(const std::string& fingerprint, std::uint64_t session)> number_of_run;
  /// Event loop: a sentence that names the known peers, for the log.
  std::function<std::string()> known_fingerprints;
  /// Event loop: what all connections of a peer hold.
  std::function<std::shared_ptr<PeerLoad>(const std::string& fingerprint)> load_of;
  /// Event loop: what became of operations, for `status`.
  std::function<void(const Peer& peer, const std::vector<Committed>& done)> note;
  /// Any thread: what lies in the trash of the root with this path.
  std::function<TrashUse(const std::string& path)> trash_use;
};

/// One agent's connection, from the handshake to its end. Lives on the event loop; frames are staged on a strand,
/// committed by the committers of the directories where they land, and acknowledged from there. A connection that waits
/// for a directory which does not answer is ended, for its agent has others to go on with.
class Session : public std::enable_shared_from_this<Session>, public Acknowledged {
 public:
  Session(Services& services, std::shared_ptr<net::Channel> channel, std::string address);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs until the connection ends.
  asio::awaitable<void> run();
  /// Ends the connection, telling the peer why.
  void end(ErrorCode code, const std::string& sentence);

  /// What the peer's configuration says from now on (a reload).
  void use(std::shared_ptr<const Peer> peer);

  /// Null before the greeting.
  const std::shared_ptr<const Peer>& peer() const { return greeted_; }
  const std::string& address() const { return address_; }
  std::chrono::steady_clock::time_point begun() const { return begun_; }
  /// Ends the connection without a word.
  void close() { channel_->close(); }
  /// The agent's clock minus ours in seconds, as its greeting said it, late by the way of that.
  std::optional<double> clock_offset() const { return clock_offset_; }

  void committed(std::vector<Committed> done) override;

 private:
  asio::awaitable<Result<>> handshake();
  asio::awaitable<Result<>> greet();
  asio::awaitable<Result<DecisionKeeper::Agent>> take_decisions(const wire::Hello& hello, wire::Hello& reply);
  std::string refusal_of(const wire::Hello& hello) const;
  std::string refusal_of_load() const;
  asio::awaitable<Error> read();
  asio::awaitable<void> wait_for_room();
  bool is_full() const;
  bool is_peer_full() const;
  asio::awaitable<void> wait_for_reader();
  asio::awaitable<void> write();
  void watch_silence();
  void begin_list(ListRequest request);
  asio::awaitable<void> list(ListRequest request);
  asio::awaitable<void> list_account(const ListRequest& request);
  asio::awaitable<void> list_all_accounts(const ListRequest& request);
  void answered();
  void stage(wire::Frame frame);
  void take_frames();
  Result<bool> take_part(const wire::Frame& frame);
  void send(const wire::Header& header);
  void made_room();
  void acknowledge(std::vector<Committed> done);
  bool waits_for_silent_directory() const;
  void give_listings_back();
  Intake::Sinks sinks();

  Services& services_;
  std::shared_ptr<net::Channel> channel_;
  std::string address_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::shared_ptr<const Peer> peer_, greeted_;
  os::Strand strand_;
  Committer* committer_ = nullptr;  ///< strand: of the account that was opened last
  AnswersInOrder answers_;
  std::unique_ptr<Intake> intake_;  ///< strand
  struct Arrived {
    wire::Frame frame;
    std::size_t size = 0;  ///< bytes that it holds
  };
  std::deque<Arrived> frames_;      ///< strand
  bool broken_ = false;             ///< strand: the protocol was violated, and nothing more is taken
  std::shared_ptr<PeerLoad> load_;  ///< of the peer, from the greeting on
  std::string outgoing_;
  std::size_t unread_ = 0;  ///< bytes of answers, those that are being written among them, that the peer has not taken
  std::optional<Share> unread_share_, connection_share_;
  std::chrono::steady_clock::time_point taken_ =
      std::chrono::steady_clock::now();  ///< when the peer took some of them, or there were none
  std::size_t questions_ = 0;            ///< listings that were asked for and are not answered
  std::size_t listings_ = 0;             ///< those that are under way
  bool gave_listings_back_ = false;
  std::multiset<std::shared_ptr<ServedDirectory>> listing_in_;
  asio::steady_timer wake_, room_, drained_, silence_;
  std::chrono::steady_clock::time_point heard_;
  std::optional<Error> violation_;
  std::optional<double> clock_offset_;
  bool said_goodbye_ = false;
  bool ended_ = false;

  // Between the reader, which waits while they are high, and the threads that lower them:
  std::atomic<std::size_t> staging_bytes_{0};
  std::atomic<bool> reader_waits_{false};
  using Time = std::chrono::steady_clock::time_point;
  static constexpr Time k_not_staging = Time::max();
  std::atomic<Time> staging_since_{k_not_staging};
};

}  // namespace maildirsync::daemon
