#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/control/server.h"

namespace maildirsync::agent {

/// A command of the control socket that takes a while: it goes on whenever something has changed, and answers once.
/// Lives on the event loop, from Requests::begin() until it has ended.
class Request : public std::enable_shared_from_this<Request> {
 public:
  /// `reply` may be null: then nobody waits.
  explicit Request(std::shared_ptr<control::Reply> reply) : reply_(std::move(reply)) {}
  virtual ~Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  /// Something changed, or a second has passed: goes on as far as it can.
  virtual void advance() = 0;
  /// Nobody waits for the answer any more, or the agent ends: ends soon. Can be repeated.
  virtual void cancel() = 0;
  /// Whether a thread of it is at work, for which the agent waits at its end.
  virtual bool has_thread() const { return false; }
  /// What can be under way once only; "" for what can be several times.
  virtual std::string_view exclusive() const { return {}; }

  bool has_ended() const { return ended_; }
  bool is_wanted() const { return !reply_ || reply_->wanted(); }

 protected:
  /// What a person who waits is shown.
  void progress(nlohmann::json progress) {
    if (reply_) reply_->progress({{"progress", std::move(progress)}});
  }
  /// Answers; there is nothing left to do.
  void end(const nlohmann::json& answer) {
    if (!std::exchange(ended_, true) && reply_) reply_->finish(answer);
  }
  /// Ends without an answer.
  void end() { ended_ = true; }

 private:
  std::shared_ptr<control::Reply> reply_;
  bool ended_ = false;
};

}  // namespace maildirsync::agent
