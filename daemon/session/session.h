#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <asio/steady_timer.hpp>

#include "common/net/channel.h"
#include "common/os/threads.h"
#include "daemon/session/answers_in_order.h"
#include "daemon/session/intake.h"
#include "daemon/session/listings.h"
#include "daemon/session/services.h"

namespace maildirsync::daemon {

/// One agent's connection, from the handshake to its end. Lives on the event loop; frames are staged on a strand,
/// committed by the committers of the directories where they land, and acknowledged from there. A connection that waits
/// for a directory which does not answer is ended, for its agent has others to go on with.
class Session : public std::enable_shared_from_this<Session>, public Acknowledged, public ListingSink {
 public:
  Session(Services& services, std::shared_ptr<net::Channel> channel, std::string address);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs until the connection ends.
  asio::awaitable<void> run();
  void end(ErrorCode code, const std::string& sentence) override;

  /// What the peer's configuration says from now on (a reload).
  void use(std::shared_ptr<const Peer> peer);

  /// Null before the greeting.
  const std::shared_ptr<const Peer>& peer() const { return greeted_; }
  const std::string& address() const { return address_; }
  std::chrono::steady_clock::time_point begun() const { return begun_; }
  /// Ends the connection without a word.
  void close() { channel_->close(); }
  /// The agent's process that speaks; 0 before the greeting, and for one that names none.
  std::uint64_t process() const { return agent_session_; }
  /// As it was told when it greeted.
  const KeyJudgement& judgement() const { return judgement_; }
  /// Whether that is not so any more: another process is obeyed by now, or this one.
  bool is_outdated() const;
  /// The agent's process is asked for a sign of life.
  void ask_for_life();
  /// When the last question was asked that was answered.
  std::chrono::steady_clock::time_point proof_of_life() const { return proof_of_life_; }
  /// The process that is obeyed was there while this one was: this one is a copy.
  void note_copy();
  /// Why the agent's process is not obeyed, for people; with its host.
  const std::string& refusal() const { return refusal_; }
  /// The agent's clock minus ours in seconds, as its greeting said it, late by the way of that.
  std::optional<double> clock_offset() const { return clock_offset_; }

  void committed(std::vector<Committed> done) override;

  void send(const wire::Header& header) override;
  asio::awaitable<void> wait_for_reader() override;
  bool has_ended() const override { return ended_; }
  void answered() override;

 private:
  asio::awaitable<Result<>> handshake();
  asio::awaitable<Result<>> greet();
  asio::awaitable<Result<DecisionKeeper::Agent>> take_decisions(const wire::Hello& hello, wire::Hello& reply);
  asio::awaitable<DecisionKeeper::Answer> ask_keeper(const DecisionKeeper::Agent& agent);
  asio::awaitable<void> wait_for_holder(const DecisionKeeper::Agent& agent);
  wire::Header pong();
  void note_ping(const wire::Ping& ping);
  asio::awaitable<Error> read();
  asio::awaitable<void> wait_for_room();
  bool is_full() const;
  bool is_peer_full() const;
  asio::awaitable<void> write();
  void watch_silence();
  void stage(wire::Frame frame);
  void take_frames();
  Result<bool> take_part(const wire::Frame& frame);
  void made_room();
  bool waits_for_silent_directory() const;
  Intake::Sinks sinks();

  Services& services_;
  std::shared_ptr<net::Channel> channel_;
  std::string address_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::shared_ptr<const Peer> peer_, greeted_;
  os::Strand strand_;
  Committer* committer_ = nullptr;  ///< strand: of the account that was opened last
  Listings listings_;
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
  asio::steady_timer wake_, room_, drained_, silence_;
  std::chrono::steady_clock::time_point heard_;
  std::optional<Error> violation_;
  std::optional<double> clock_offset_;
  std::uint64_t agent_session_ = 0;
  Speaker process_;  ///< what it says of itself
  std::shared_ptr<const Tenure> tenure_;
  KeyJudgement judgement_;
  std::string refusal_;
  std::uint64_t kept_lease_ = 0;  ///< its number, as the agent told last
  std::uint64_t asked_ = 0;       ///< the number of the last question for a sign of life
  std::chrono::steady_clock::time_point asked_at_, proof_of_life_{};
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
