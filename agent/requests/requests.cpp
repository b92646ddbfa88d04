#include "agent/requests/requests.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "agent/requests/commands.h"
#include "agent/requests/status.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

void status(Requests& requests, const json& request, Reply reply) {
  reply->finish(status_of(requests, request.value("account", "")));
}

void events(Requests& requests, const json& /*request*/, Reply reply) {
  reply->finish({{"events", requests.parts().watcher.recent()}});
}

struct Command {
  std::string_view name;
  void (*handle)(Requests& requests, const json& request, Reply reply);
};

constexpr std::array k_commands = {
    Command{"cutover-record", cutover_record},
    Command{"door", door},         //
    Command{"drain", set_mode},    //
    Command{"events", events},     //
    Command{"flush", flush},       //
    Command{"held", release},      //
    Command{"mirror", set_mode},   //
    Command{"note", note_step},    //
    Command{"pause", set_paused},  //
    Command{"plan", inventory},    //
    Command{"release", release},   //
    Command{"repair-index", repair_index},
    Command{"resume", set_paused},  //
    Command{"status", status},      //
    Command{"verify", verify},
};

/// Of an earlier run; null when there is none.
json kept(State& state, const char* key) {
  const auto stored = state.value(key);
  json value = stored && *stored ? json::parse(**stored, nullptr, false) : json();
  return value.is_object() ? value : json();
}

}  // namespace

Requests::Requests(Parts parts)
    : parts_(std::move(parts)),
      cutover_(parts_.loop, parts_.config.state_dir + "/cutover"),
      cutover_copy_(parts_.loop, cutover_, parts_.lanes),
      settlements_(parts_),
      verified_(kept(parts_.state, "verified")),
      stragglers_(kept(parts_.state, "stragglers")) {}

void Requests::handle(const json& request, std::shared_ptr<control::Reply> reply) {
  const std::string name = request.value("command", "");
  const auto command =
      std::find_if(k_commands.begin(), k_commands.end(), [&](const Command& one) { return one.name == name; });
  if (command == k_commands.end()) {
    return reply->finish(control::error("usage", "the agent does not know the command '" + name + "'"));
  }
  command->handle(*this, request, std::move(reply));
}

void Requests::note_verified(json verified) {
  verified_ = std::move(verified);
  parts_.keeper.set_value("verified", verified_.dump());
}

void Requests::note_stragglers(const json& drained) {
  for (const auto& root : drained) {
    stragglers_[root.value("root", "")] = {{"messages", root.value("messages", 0)},
                                           {"waiting", root.value("waiting", 0)},
                                           {"last_unix", root.value("last_unix", std::int64_t{0})},
                                           {"checked_unix", static_cast<std::int64_t>(std::time(nullptr))}};
  }
  parts_.keeper.set_value("stragglers", stragglers_.dump());
}

bool Requests::is_under_way(std::string_view exclusive) const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [&](const auto& request) { return !request->has_ended() && request->exclusive() == exclusive; });
}

void Requests::begin(std::shared_ptr<Request> request) {
  requests_.push_back(std::move(request));
  changed();
}

/// A request may change what others wait for, and even begin another one.
void Requests::changed() {
  changed_again_ = true;
  if (std::exchange(advancing_, true)) return;
  while (std::exchange(changed_again_, false)) {
    settlements_.advance();
    for (const auto& request : std::vector(requests_)) {
      if (!request->has_ended()) request->is_wanted() ? request->advance() : request->cancel();
    }
    std::erase_if(requests_, [](const auto& request) { return request->has_ended(); });
  }
  advancing_ = false;
}

void Requests::each_second() {
  const auto copies = [this](const Turn& turn) {
    const Account* account = parts_.roster.find(turn.order.account);
    return account != nullptr && !account->complete;
  };
  copy_rate_.measure(1, static_cast<double>(parts_.totals.bytes_source.load()), parts_.lanes.has_turn(copies));
  changed();
}

void Requests::mode_configured(std::size_t root, config::Mode mode) {
  set_configured_mode(*this, root, mode);
}

void Requests::cancel() {
  settlements_.advance();
  for (const auto& request : std::vector(requests_))
    request->cancel();
}

bool Requests::is_busy() const {
  return std::any_of(requests_.begin(), requests_.end(), [](const auto& request) { return request->has_thread(); });
}

}  // namespace maildirsync::agent
