#include "agent/accounts/lanes.h"

#include <algorithm>
#include <utility>

namespace maildirsync::agent {

std::shared_ptr<Link> Lanes::up() const {
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [](const auto& one) { return one->link().is_up(); });
  return lane == lanes_.end() ? nullptr : (*lane)->link().shared_from_this();
}

std::size_t Lanes::connections() const {
  return static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->link().is_up(); }));
}

std::size_t Lanes::hanging() const {
  return static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->hangs(); }));
}

std::shared_ptr<Link> Lanes::quick_link(Lane& other) const {
  Link& live = lanes_.front()->link();
  return (live.is_up() ? live : other.link()).shared_from_this();
}

bool Lanes::has_turn(const std::function<bool(const Turn&)>& fits) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [&](const auto& lane) { return lane->turn() && fits(*lane->turn()); });
}

std::optional<double> Lanes::clock_offset() const {
  for (const auto& lane : lanes_) {
    if (const auto offset = lane->link().clock_offset()) return *offset;
  }
  return std::nullopt;
}

void Lanes::heard(const wire::Hello& receiver) {
  trashes_ = {receiver.trash().begin(), receiver.trash().end()};
  knows_looks_ = receiver.knows_looks();
  keeps_decisions_ = receiver.keeps_decisions();
  ++connections_made_;
}

void Lanes::use(LinkSettings settings) {
  settings.session = settings_.session;
  settings.instance = settings_.instance;
  settings.add_to_greeting = settings_.add_to_greeting;
  settings.add_to_ping = settings_.add_to_ping;
  const bool reconnect = settings.own_fingerprint != settings_.own_fingerprint ||
                         settings.receiver_fingerprint != settings_.receiver_fingerprint ||
                         settings.receiver.text() != settings_.receiver.text();
  settings_ = std::move(settings);
  for (auto& lane : lanes_)
    reconnect ? lane->link().restart(shared_settings()) : lane->link().use(shared_settings());
}

void Lanes::stop_links() {
  for (auto& lane : lanes_)
    lane->link().stop();
}

void Lanes::stop() {
  for (auto& lane : lanes_)
    lane->stop();
}

}  // namespace maildirsync::agent
