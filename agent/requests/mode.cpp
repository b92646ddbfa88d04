#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "agent/engine/engine.h"

// A root's mode: the configuration's, or that of the last `drain` or `mirror`, which lasts until the configuration
// says something else than it did then.

namespace maildirsync::agent {

using nlohmann::json;

namespace {

const char* word(config::Mode mode) {
  return mode == config::Mode::drain ? "drain" : "mirror";
}

config::Mode mode_of(const std::string& text) {
  return text == "drain" ? config::Mode::drain : config::Mode::mirror;
}

}  // namespace

/// A `drain` or `mirror` whose answer waits until no turn of the old mode is under way.
struct Engine::ModeChange {
  std::string root;
  config::Mode mode = config::Mode::mirror;
  bool is_cutover = false;
  std::shared_ptr<control::Reply> reply;
};

/// Before the root's accounts are added. What was left alone while it was drained is compared when it is mirrored
/// again.
Result<bool> Engine::begin_mode(Root& root) {
  const std::string& name = root.config.name;
  auto last = state_->value("mode:" + name);
  if (!last) return Failure(last.error());
  auto configured = state_->value("mode-configured:" + name);
  if (!configured) return Failure(configured.error());
  const bool same_configuration = !*configured || mode_of(**configured) == root.config.mode;
  root.mode = *last && same_configuration ? mode_of(**last) : root.config.mode;
  MAILDIRSYNC_TRY(remember_mode(root));
  return *last && mode_of(**last) == config::Mode::drain && root.mode == config::Mode::mirror;
}

Result<> Engine::remember_mode(const Root& root) {
  MAILDIRSYNC_TRY(state_->set_value("mode-configured:" + root.config.name, word(root.config.mode)));
  return state_->set_value("mode:" + root.config.name, word(root.mode));
}

Result<> Engine::change_mode(Root& root, config::Mode mode) {
  const auto before = std::exchange(root.mode, mode);
  if (auto stored = remember_mode(root); !stored) {
    root.mode = before;
    return stored;
  }
  spdlog::info("mode root={} mode={}", root.config.name, word(mode));
  if (before == mode || mode == config::Mode::drain) return {};
  for (Account* account : accounts_of(static_cast<std::size_t>(&root - roots_.data()))) {
    account->work.compare = account->work.structure = true;
    schedule(*account);
  }
  dispatch();
  return {};
}

void Engine::set_mode(const json& request, config::Mode mode, std::shared_ptr<control::Reply> reply) {
  const std::string name = request.value("root", "");
  const bool is_cutover = request.value("cutover", false);
  const auto root =
      std::find_if(roots_.begin(), roots_.end(), [&](const Root& r) { return !r.removed && r.config.name == name; });
  if (root == roots_.end()) {
    return reply->finish(control::error("usage", "there is no root '" + name + "' in the configuration"));
  }
  if (const auto changed = change_mode(*root, mode); !changed) {
    return reply->finish(control::error("state", changed.error().message()));
  }
  mode_changes_.push_back(std::make_shared<ModeChange>(ModeChange{name, mode, is_cutover, std::move(reply)}));
  check_mode_changes();
}

void Engine::check_mode_changes() {
  std::erase_if(mode_changes_, [this](const std::shared_ptr<ModeChange>& change) {
    const bool busy = std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& found) {
      const auto& turn = found.second.turn;
      return turn && turn->order.root_name == change->root && turn->order.mode != change->mode;
    });
    if (busy && change->reply->wanted()) return false;
    if (change->is_cutover) note_cut_over(change->root);
    change->reply->finish({{"ok", true}, {"message", "root " + change->root + ": " + word(change->mode)}});
    return true;
  });
}

}  // namespace maildirsync::agent
