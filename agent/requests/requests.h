#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/decisions/cutover_record.h"
#include "agent/engine/engine.h"
#include "agent/requests/copy_rate.h"
#include "agent/requests/cutover_copy.h"
#include "agent/requests/request.h"
#include "agent/requests/settlements.h"

namespace maildirsync::agent {

/// The commands of the agent's control socket: those that are answered at once, and the list of those that are under
/// way. Event loop only.
class Requests : public EngineClient {
 public:
  explicit Requests(Parts parts);

  /// By the table of commands in requests.cpp.
  void handle(const nlohmann::json& request, std::shared_ptr<control::Reply> reply);

  // For the commands.
  Parts& parts() { return parts_; }
  const Parts& parts() const { return parts_; }
  CutoverRecord& cutover() { return cutover_; }
  const CutoverRecord& cutover() const { return cutover_; }
  CutoverCopy& cutover_copy() { return cutover_copy_; }
  Settlements& settlements() { return settlements_; }
  const CopyRate& copy_rate() const { return copy_rate_; }
  /// The last verification of everything, for `status`; null before the first.
  const nlohmann::json& verified() const { return verified_; }
  void note_verified(nlohmann::json verified);
  /// What came to drained roots since their users moved, by root, as the last comparison of all their accounts found
  /// it: `messages`, `waiting`, `last_unix` and `checked_unix`.
  const nlohmann::json& stragglers() const { return stragglers_; }
  void note_stragglers(const nlohmann::json& drained);
  bool is_under_way(std::string_view exclusive) const;
  void begin(std::shared_ptr<Request> request);

  // EngineClient
  void changed() override;
  void each_second() override;
  void greet(wire::Hello& hello) const override { cutover_copy_.greet(hello); }
  void heard(const wire::Hello& receiver) override { cutover_copy_.heard(receiver); }
  void mode_configured(std::size_t root, config::Mode mode) override;
  void cancel() override;
  bool is_busy() const override;

 private:
  Parts parts_;
  CutoverRecord cutover_;
  CutoverCopy cutover_copy_;
  Settlements settlements_;
  CopyRate copy_rate_;
  nlohmann::json verified_, stragglers_;
  std::vector<std::shared_ptr<Request>> requests_;
  bool advancing_ = false;
  bool changed_again_ = false;  ///< while they advance
};

}  // namespace maildirsync::agent
