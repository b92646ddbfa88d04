#include "daemon/roots/served_directories.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "common/os/path.h"
#include "common/os/replace_file.h"
#include "common/service/event.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

using nlohmann::json;

namespace {

constexpr std::size_t k_longest_file = 16 * 1024 * 1024;

struct Line {
  KnownDirectory known;
  std::string path;
  std::vector<ConfiguredRoot> roots;
};

json to_json(const std::string& path, const KnownDirectory& known, const std::set<ConfiguredRoot>& roots) {
  json names = json::array();
  for (const auto& root : roots) {
    if (root.path == path) names.push_back({{"peer", root.peer}, {"root", root.root}});
  }
  return {{"path", path},
          {"id", known.marker.id},
          {"counter", known.marker.counter},
          {"former", known.marker.former},
          {"file_system", known.file_system},
          {"had_accounts", known.had_accounts},
          {"mounts", known.mounts},
          {"roots", std::move(names)}};
}

/// Throws a json::exception when it is not what to_json makes.
Line from_json(const json& one) {
  Line line;
  line.path = one.at("path").get<std::string>();
  line.known = {
      {one.at("id").get<std::string>(), one.at("counter").get<std::uint64_t>(), one.value("former", std::string())},
      one.at("file_system").get<std::string>(),
      one.at("had_accounts").get<bool>(),
      one.value("mounts", std::map<std::string, std::uint64_t>())};
  for (const auto& root : one.at("roots"))
    line.roots.push_back({root.at("peer").get<std::string>(), root.at("root").get<std::string>(), line.path});
  return line;
}

bool leads_to_same(const std::string& one, const std::string& other) {
  struct stat first {
  }, second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

Result<std::unique_ptr<ServedDirectories>> ServedDirectories::open(const std::string& state_dir) {
  std::unique_ptr<ServedDirectories> directories(new ServedDirectories(state_dir + "/roots.json"));
  MAILDIRSYNC_TRY(directories->read());
  return directories;
}

Result<> ServedDirectories::read() {
  const auto text = os::read_file(file_, k_longest_file);
  if (!text && text.error().code == ErrorCode::vanished) return {};
  if (!text) return Failure(text.error());
  try {
    const json whole = json::parse(*text);
    for (const auto& one : whole.at("directories")) {
      Line line = from_json(one);
      directories_[line.path] = make(line.path, line.known);
      roots_.insert(line.roots.begin(), line.roots.end());
    }
    return {};
  } catch (const json::exception& exception) {
    const std::string aside = file_ + ".corrupt-" + std::to_string(std::time(nullptr));
    service::log_error(
        "state-damaged file={} action=\"put aside as {}; the directories' own markers are believed\" what={}", file_,
        aside, exception.what());
    directories_.clear();
    roots_.clear();
    if (std::rename(file_.c_str(), aside.c_str()) != 0) return os_failure(file_, "cannot put it aside", errno);
    return {};
  }
}

std::shared_ptr<ServedDirectory> ServedDirectories::make(const std::string& path, std::optional<KnownDirectory> known) {
  return std::make_shared<ServedDirectory>(
      path, std::move(known), [this] { return save(); },
      [this, path] {
        if (put_back_) put_back_(path);
      });
}

void ServedDirectories::configure(const std::vector<ConfiguredRoot>& roots) {
  const std::lock_guard lock(mutex_);
  for (const auto& root : roots) {
    const bool is_known = std::any_of(roots_.begin(), roots_.end(), [&](const ConfiguredRoot& one) {
      return one.peer == root.peer && one.root == root.root && one.path != root.path;
    });
    if (is_known) moved_.emplace(root.peer, root.root);
  }
  roots_ = {roots.begin(), roots.end()};
  std::erase_if(directories_, [&](const auto& one) {
    const bool is_used =
        std::any_of(roots.begin(), roots.end(), [&](const ConfiguredRoot& root) { return root.path == one.first; });
    if (!is_used) abandoned_.push_back(one.second);
    return !is_used;
  });
}

std::shared_ptr<ServedDirectory> ServedDirectories::find(const std::string& path) {
  const std::lock_guard lock(mutex_);
  auto& directory = directories_[path];
  if (!directory) directory = make(path, std::nullopt);
  return directory;
}

bool ServedDirectories::has_moved(const std::string& peer, const std::string& root) const {
  const std::lock_guard lock(mutex_);
  return moved_.contains({peer, root});
}

std::vector<std::shared_ptr<ServedDirectory>> ServedDirectories::held() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServedDirectory>> held;
  for (const auto& [path, directory] : directories_) {
    const auto trouble = directory->trouble();
    if (trouble && trouble->code == ErrorCode::destination_gone) held.push_back(directory);
  }
  return held;
}

void ServedDirectories::look_at_all() {
  std::vector<std::shared_ptr<ServedDirectory>> all, abandoned;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, directory] : directories_)
      all.push_back(directory);
    std::swap(abandoned, abandoned_);
  }
  if (!abandoned.empty()) {
    threads_.post([this, all, abandoned] { abandon(all, abandoned); });
  }
  for (const auto& directory : all)
    look_at(directory);
}

void ServedDirectories::abandon(const std::vector<std::shared_ptr<ServedDirectory>>& all,
                                const std::vector<std::shared_ptr<ServedDirectory>>& abandoned) {
  for (const auto& directory : abandoned) {
    // The same directory by another path keeps its marker.
    const bool is_served = std::any_of(all.begin(), all.end(),
                                       [&](const auto& one) { return leads_to_same(one->path(), directory->path()); });
    if (!is_served) directory->abandon();
  }
  if (const auto saved = save(); !saved) service::log_error("state-failed detail=\"{}\"", saved.error().message());
}

/// Unless a look at it is under way.
void ServedDirectories::look_at(const std::shared_ptr<ServedDirectory>& directory) {
  const bool answers = directory->answers();
  {
    const std::lock_guard lock(mutex_);
    const bool was_silent = !answers ? !silent_.insert(directory.get()).second : silent_.erase(directory.get()) > 0;
    if (was_silent == answers) {
      service::log_event({answers ? service::Severity::info : service::Severity::warning,
                          answers ? "destination-answers" : "destination-silent",
                          {{"path", directory->path()}}});
    }
    if (!looked_at_.insert(directory.get()).second) return;
  }
  threads_.post([this, directory] {
    directory->look();
    const std::lock_guard lock(mutex_);
    looked_at_.erase(directory.get());
  });
}

Result<> ServedDirectories::save() {
  const std::lock_guard saving(saving_);
  json list = json::array();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, directory] : directories_) {
      if (const auto known = directory->known()) list.push_back(to_json(path, *known, roots_));
    }
  }
  const std::string text = json{{"version", 1}, {"directories", std::move(list)}}.dump(1) + '\n';
  return os::replace_file(file_, text);
}

}  // namespace maildirsync::daemon
