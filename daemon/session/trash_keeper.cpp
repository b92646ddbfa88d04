#include "daemon/session/trash_keeper.h"

#include <algorithm>
#include <future>
#include <optional>

#include <asio/post.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/maildir/layout.h"
#include "common/os/printable.h"
#include "common/service/log.h"
#include "daemon/apply/restore.h"

namespace maildirsync::daemon {

using nlohmann::json;

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto k_look = 1s;
constexpr auto k_at_least = 1h;  ///< the trash is looked through so often, whatever happens
constexpr auto k_at_most = 5s;   ///< and not more often than this,
constexpr int k_rest = 20;       ///< nor for more than a twentieth of the time
constexpr std::size_t k_most_lines = 1000;

/// A name of an account as the agent says it, or its path where it never did.
std::string name_of(const TrashedAccount& account) {
  return account.label.account.empty() ? account.path : account.label.account;
}

void append(json& lines, const std::vector<std::string>& more, const std::string& account) {
  for (const auto& line : more) {
    if (lines.size() < k_most_lines) lines.push_back(os::printable(account + ": " + line));
  }
}

}  // namespace

struct TrashKeeper::Wish {
  std::string glob, root;
  std::optional<std::int64_t> since;
  bool only_list = false;
  std::map<std::string, Place> places;
};

TrashKeeper::TrashKeeper(asio::io_context& loop, Committers& committers)
    : loop_(loop), committers_(committers), timer_(loop) {
  arm();
}

TrashKeeper::~TrashKeeper() {
  stop();
}

void TrashKeeper::stop() {
  if (stopping_.exchange(true)) return;
  timer_.cancel();
  threads_.stop();
}

void TrashKeeper::use(const config::Receiver& config) {
  std::map<std::string, Place> places;
  for (const auto& peer : config.peers) {
    for (const auto& root : peer.roots) {
      auto& place = places[root.path];
      place.days = std::max(place.days, root.trash_days);
      place.roots.push_back(root.name);
    }
  }
  places_ = std::move(places);
  next_ = {};
}

void TrashKeeper::arm() {
  timer_.expires_after(k_look);
  timer_.async_wait([this](const asio::error_code& error) {
    if (error || stopping_) return;
    tend();
    arm();
  });
}

void TrashKeeper::tend() {
  const auto now = Clock::now();
  const std::uint64_t deletes = committers_.totals().deletes.load();
  if (tending_ || restoring_ || now < not_before_ || (now < next_ && deletes == deletes_seen_)) return;
  tending_ = true;
  deletes_seen_ = deletes;
  threads_.post([this, places = places_, begun = now] {
    Uses uses;
    for (const auto& [path, place] : places) {
      const auto root = os::Directory::open_root(path);
      // With trash_days = 0, what came before it was set goes now.
      if (root) uses[path] = tend_trash(*root, place.days, stopping_);
      if (const auto& use = uses[path]; use.expired > 0) {
        service::log_info("trash-expired path={} files={} days={}", path, use.expired, place.days);
      }
    }
    asio::post(loop_, [this, uses = std::move(uses), took = Clock::now() - begun]() mutable {
      tending_ = false;
      uses_ = std::make_shared<const Uses>(std::move(uses));
      next_ = Clock::now() + k_at_least;
      not_before_ = Clock::now() + std::max<Clock::duration>(k_at_most, took * k_rest);
    });
  });
}

TrashUse TrashKeeper::use_of(const std::string& path) const {
  const auto uses = uses_.load();
  const auto found = uses->find(path);
  return found == uses->end() ? TrashUse() : found->second;
}

json TrashKeeper::status_of(const std::string& path) const {
  const auto place = places_.find(path);
  const TrashUse use = use_of(path);
  if (place == places_.end() || (place->second.days == 0 && use.files == 0)) return nullptr;
  return {{"days", place->second.days},
          {"files", use.files},
          {"bytes", use.bytes},
          {"oldest", use.oldest.empty() ? json(nullptr) : json(use.oldest.substr(0, 10))}};
}

void TrashKeeper::restore(const json& request, const std::shared_ptr<control::Reply>& reply) {
  Wish wish{.glob = request.value("account", ""), .root = request.value("root", "")};
  wish.only_list = request.value("list", false);
  wish.places = places_;
  if (const std::string since = request.value("since", ""); !since.empty()) {
    wish.since = day_of_trash(since);
    if (!wish.since || since.size() != 10) {
      return reply->finish(control::error("usage", "'" + since + "' is not a day; write it like 2026-11-28"));
    }
  }
  if (restoring_) {
    return reply->finish(control::error("busy", "another restore runs already; wait for it"));
  }
  restoring_ = true;
  threads_.post([this, wish = std::move(wish), reply]() mutable {
    json answer = put_back(wish, reply);
    asio::post(loop_, [this, answer = std::move(answer), reply = std::move(reply)] {
      restoring_ = false;
      next_ = not_before_ = {};
      reply->finish(answer);
    });
  });
}

json TrashKeeper::put_back(const Wish& wish, const std::shared_ptr<control::Reply>& reply) {
  json accounts = json::array();
  json answer = {{"ok", true},
                 {"listed", wish.only_list},
                 {"messages", 0},
                 {"bytes", 0},
                 {"present", 0},
                 {"marked_deleted", 0},
                 {"new_uids", 0},
                 {"beside", json::array()},
                 {"in_trash", json::array()},
                 {"roots", json::array()}};
  for (const auto& [path, place] : wish.places) {
    auto root = os::Directory::open_root(path);
    if (!root) {
      append(answer["in_trash"], {root.error().message()}, "root " + place.roots.front());
      continue;
    }
    const auto directory = std::make_shared<const os::Directory>(std::move(*root));
    const auto found = accounts_in_trash(*directory, [&](const TrashedAccount& account) {
      const bool of_root = wish.root.empty() || account.label.root == wish.root;
      const bool of_name = maildir::is_chosen(wish.glob, name_of(account)) || account.path == wish.glob;
      return of_root && of_name && (!wish.since || *day_of_trash(account.date) >= *wish.since);
    });
    if (!found) {
      append(answer["in_trash"], {found.error().message()}, "root " + place.roots.front());
      continue;
    }
    if (!found->empty()) answer["roots"].push_back(path);
    for (const auto& account : *found) {
      if (stopping_) return control::error("cancelled", "the receiver is being stopped; restore again later");
      json one = {{"account", os::printable(name_of(account))},
                  {"root", account.label.root},
                  {"peer", account.label.peer},
                  {"path", os::printable(os::join(path, account.path))},
                  {"date", account.date.substr(0, 10)},
                  {"messages", account.messages},
                  {"files", account.files},
                  {"bytes", account.bytes}};
      if (!wish.only_list) {
        one["restored"] = put_back_account(directory, account, answer);
        asio::post(loop_, [reply, count = accounts.size() + 1] {
          if (reply->wanted()) reply->progress({{"progress", {{"accounts_done", count}}}});
        });
      } else {
        answer["messages"] = answer["messages"].get<std::uint64_t>() + account.messages;
        answer["bytes"] = answer["bytes"].get<std::uint64_t>() + account.bytes;
      }
      accounts.push_back(std::move(one));
    }
  }
  if (accounts.empty() && !wish.glob.empty() && answer["in_trash"].empty()) {
    return control::error("usage", "no account in the trash matches '" + wish.glob + "'" +
                                       (wish.since ? " since that day" : "") +
                                       "; maildirsync restore --list names all");
  }
  answer["accounts"] = std::move(accounts);
  answer["complete"] = answer["in_trash"].empty() && answer["beside"].empty() && answer["new_uids"] == 0;
  return answer;
}

json TrashKeeper::put_back_account(const DirectoryPtr& root, const TrashedAccount& account, json& answer) {
  Restoration restoration(root, account);
  Result<> durable;
  for (bool more = true; more && durable && !stopping_;) {
    auto promise = std::make_shared<std::promise<Result<>>>();
    auto done = promise->get_future();
    committers_.of(root->path())
        .run([&](os::SyncSet& sync) { more = restoration.step(sync); },
             [promise](Result<> result) { promise->set_value(std::move(result)); });
    durable = done.get();
  }
  const Restored& result = restoration.result();
  const std::string name = name_of(account);
  if (!durable) append(answer["in_trash"], {durable.error().message()}, name);
  if (durable) tidy_trash(*root, account.date, account.path);
  append(answer["in_trash"], result.in_trash, name);
  append(answer["beside"], result.beside, name);
  const auto add = [&](const char* key, std::uint64_t count) {
    answer[key] = answer[key].get<std::uint64_t>() + count;
  };
  add("messages", result.messages);
  add("bytes", result.bytes);
  add("present", result.present);
  add("new_uids", result.new_uids);
  add("marked_deleted", result.marked_deleted);
  service::log_info("restored account={} date={} messages={} files={} present={} new_uids={}", os::printable(name),
                    account.date, result.messages, result.files, result.present, result.new_uids);
  return {{"messages", result.messages}, {"files", result.files}, {"present", result.present}};
}

}  // namespace maildirsync::daemon
