#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/turn/lane.h"
#include "common/wire/protocol.pb.h"

namespace maildirsync::agent {

/// The lanes with their connections, and what the receiver last said of itself. Event loop only.
class Lanes {
 public:
  explicit Lanes(LinkSettings settings) : settings_(std::move(settings)) {}

  void add(std::unique_ptr<Lane> lane) { lanes_.push_back(std::move(lane)); }
  std::size_t size() const { return lanes_.size(); }
  /// How many must be able to work; there are more while some hang, and afterwards.
  std::size_t regular() const { return regular_; }
  void set_regular(std::size_t count) { regular_ = count; }
  std::size_t hanging() const;
  Lane& operator[](std::size_t index) { return *lanes_[index]; }

  /// The first connection that is up; nullptr when none is.
  std::shared_ptr<Link> up() const;
  bool is_connected() const { return up() != nullptr; }
  std::size_t connections() const;
  /// For what must not wait for mail before it: the first lane's, kept for live changes, if it is up, else `other`.
  std::shared_ptr<Link> quick_link(Lane& other) const;

  /// Whether any lane is busy with a turn that fits.
  bool has_turn(const std::function<bool(const Turn&)>& fits) const;
  /// The receiver's clock minus ours in seconds; nothing while no receiver of ours has said its time.
  std::optional<double> clock_offset() const;

  // What it said at its last greeting.
  void heard(const wire::Hello& receiver);
  /// Whether it puts aside what is removed of that root.
  bool has_trash(const std::string& root) const { return trashes_.contains(root); }
  bool knows_looks() const { return knows_looks_; }
  /// Nothing before its first greeting.
  std::optional<bool> keeps_decisions() const { return keeps_decisions_; }
  std::uint64_t connections_made() const { return connections_made_; }

  /// Why the last connection broke or could not be made, until one is made again.
  const std::optional<Error>& error() const { return error_; }
  void set_error(std::optional<Error> error) { error_ = std::move(error); }

  const LinkSettings& settings() const { return settings_; }
  std::shared_ptr<const LinkSettings> shared_settings() const {
    return std::make_shared<const LinkSettings>(settings_);
  }
  void set_greeting(std::function<void(wire::Hello&)> add) { settings_.add_to_greeting = std::move(add); }
  void set_ping(std::function<void(wire::Ping&)> add) { settings_.add_to_ping = std::move(add); }
  /// After a reload: who we are and what we add to the greeting stay. Connections are made again where another key or
  /// address is configured.
  void use(LinkSettings settings);

  void stop_links();
  /// Ends the threads, once the links are stopped.
  void stop();

 private:
  LinkSettings settings_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t regular_ = 1;
  std::optional<Error> error_;
  std::set<std::string> trashes_;
  bool knows_looks_ = false;
  std::optional<bool> keeps_decisions_;
  std::uint64_t connections_made_ = 0;
};

}  // namespace maildirsync::agent
