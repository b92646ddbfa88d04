#include "agent/requests/stragglers.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "common/os/clock.h"
#include "common/os/printable.h"
#include "common/sync/operation.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

constexpr std::size_t k_most_messages = 10'000;
constexpr std::int64_t k_second = 1'000'000'000;

json stamp_json(std::int64_t nanoseconds) {
  return nanoseconds == 0 ? json(nullptr) : json(os::stamp_of(static_cast<std::time_t>(nanoseconds / k_second)));
}

std::string domain_of(const std::string& account) {
  const auto at = account.rfind('@');
  return at == std::string::npos ? "" : account.substr(at + 1);
}

}  // namespace

std::int64_t drained_since(const decisions::Decision& drain) {
  if (drain.given_until != 0) return drain.given_until;
  std::tm when{};
  const char* end = ::strptime(drain.when.c_str(), "%Y-%m-%dT%H:%M:%SZ", &when);
  return end == nullptr ? 0 : static_cast<std::int64_t>(::timegm(&when)) * k_second;
}

void Stragglers::Sum::add(const Straggler& straggler) {
  ++messages;
  waits += straggler.where == Straggler::Where::waits ? 1 : 0;
  last = std::max(last, straggler.came);
}

json Stragglers::Sum::to_json() const {
  return {{"messages", messages}, {"waiting", waits}, {"last", stamp_json(last)}, {"last_unix", last / k_second}};
}

void Stragglers::add(const std::string& root, std::int64_t since) {
  roots_[root].since = since;
}

void Stragglers::add(const std::string& root, const std::string& account, const std::vector<Straggler>& stragglers) {
  const auto found = roots_.find(root);
  if (found == roots_.end()) return;
  for (const auto& straggler : stragglers) {
    found->second.all.add(straggler);
    found->second.domains[domain_of(account)].add(straggler);
    found->second.messages.push_back({account, straggler});
  }
}

json Stragglers::to_json() const {
  json roots = json::array();
  for (const auto& [name, root] : roots_) {
    roots.push_back(to_json(root));
    roots.back()["root"] = name;
  }
  return roots;
}

json Stragglers::to_json(const Root& root) {
  json answer = root.all.to_json();
  answer["since"] = stamp_json(root.since);
  answer["since_unix"] = root.since / k_second;
  answer["domains"] = json::array();
  for (const auto& [domain, sum] : root.domains) {
    answer["domains"].push_back(sum.to_json());
    answer["domains"].back()["domain"] = os::printable(domain);
  }
  std::vector<const Message*> messages;
  for (const auto& message : root.messages)
    messages.push_back(&message);
  std::sort(messages.begin(), messages.end(), [](const Message* left, const Message* right) {
    return std::pair(left->straggler.came, left->account) < std::pair(right->straggler.came, right->account);
  });
  const std::size_t first = messages.size() - std::min(messages.size(), k_most_messages);
  answer["named"] = json::array();
  for (std::size_t i = first; i < messages.size(); ++i) {
    const Straggler& straggler = messages[i]->straggler;
    answer["named"].push_back(
        {{"account", os::printable(messages[i]->account)},
         {"path", os::printable(sync::path_of({straggler.folder, straggler.entry.area, straggler.entry.name}))},
         {"came", stamp_json(straggler.came)},
         {"bytes", straggler.entry.size},
         {"where", to_string(straggler.where)}});
  }
  return answer;
}

}  // namespace maildirsync::agent
