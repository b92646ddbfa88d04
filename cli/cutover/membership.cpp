#include "cli/cutover/membership.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <sys/stat.h>

#include "cli/ask/ask.h"
#include "cli/report/fields.h"
#include "common/config/account_list.h"
#include "common/os/directory.h"
#include "common/os/replace_file.h"

namespace maildirsync::cli {

namespace {

using Clock = std::chrono::steady_clock;
using Not = tl::unexpected<std::string>;

constexpr std::chrono::milliseconds k_pause{100};
constexpr double k_settling_seconds = 10;
constexpr std::size_t k_longest_list = std::size_t{64} << 20U;

const Json* find_named(const Json& list, const std::string& name) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Json& one) { return text_of(one, "name") == name; });
  return found == list.end() ? nullptr : &*found;
}

/// Drained, and its accounts are those of a list.
bool can_be_moved_to(const Json& root) {
  return text_of(root, "mode") == "drain" && !text_of(root, "include_file").empty();
}

tl::expected<const Json*, std::string> target(const Json& roots, const std::string& to) {
  if (!to.empty()) {
    const Json* root = find_named(roots, to);
    if (root == nullptr) return Not("there is no root '" + to + "' in agent.toml");
    if (!can_be_moved_to(*root)) {
      return Not("root " + to + " takes no accounts that move: it needs mode = \"drain\" and an include_file");
    }
    return root;
  }
  const auto count = std::count_if(roots.begin(), roots.end(), can_be_moved_to);
  if (count == 1) return &*std::find_if(roots.begin(), roots.end(), can_be_moved_to);
  return Not(count == 0
                 ? "there is no root for accounts that have moved: add a [[root]] of the same path to agent.toml "
                   "with mode = \"drain\" and an include_file, and name that file as the exclude_file of the "
                   "root where they are (docs/migration.md, \"One account at a time\")"
                 : "there are several roots for accounts that have moved: say which one with --to");
}

std::string why_not(const Json& account, const Json* from, const Json& to, const std::string& name) {
  if (from == nullptr) return "account " + name + " belongs to no root";
  const std::string root = text_of(*from, "name");
  if (text_of(*from, "mode") == "drain") return "account " + name + " has moved already: it is in root " + root;
  if (text_of(*from, "path") != text_of(to, "path")) {
    return fmt::format("account {} is in root {}, which has another path than root {}", name, root,
                       text_of(to, "name"));
  }
  const std::string list = text_of(to, "include_file");
  if (text_of(*from, "exclude_file") != list) {
    return fmt::format("root {} would go on with account {} after its move: it needs exclude_file = \"{}\"", root, name,
                       list);
  }
  return flag_of(account, "complete") ? "" : "account " + name + " is not copied yet";
}

/// The list with its present owner and mode.
std::string write_list(const std::string& path, const std::string& text) {
  struct stat before {};
  if (::stat(path.c_str(), &before) != 0) return path + ": it cannot be found";
  const auto written = os::replace_file(path, text, before.st_mode & 07777U);
  return written ? "" : written.error().message();
}

std::string reload(const Options& options) {
  const auto answer = try_ask(options, {{"command", "reload"}});
  if (!answer) return answer.error().sentence;
  return flag_of(*answer, "ok") ? "" : text_of(*answer, "message");
}

std::string list_of_root(const Options& options, const std::string& root) {
  const auto answer = try_ask(options, {{"command", "door"}, {"accounts", {""}}});  // of no account
  const Json* found = answer ? find_named(list_of(*answer, "roots"), root) : nullptr;
  return found == nullptr ? "" : text_of(*found, "include_file");
}

/// How many of the accounts the agent has in that root.
std::size_t arrived(const Options& options, const CutoverOrder& order) {
  const auto answer = try_ask(options, {{"command", "door"}, {"accounts", order.accounts}});
  if (!answer) return 0;
  return static_cast<std::size_t>(
      std::count_if(order.accounts.begin(), order.accounts.end(), [&](const std::string& name) {
        const Json* account = find_named(list_of(*answer, "accounts"), name);
        return account != nullptr && text_of(*account, "root") == order.to;
      }));
}

/// Both sides have the accounts in these roots now; false when that is not so after some seconds.
bool are_settled(const Options& options, const CutoverOrder& order, const std::vector<std::string>& roots) {
  const auto answer = try_ask(options,
                              {{"command", "flush"},
                               {"accounts", order.accounts},
                               {"roots", roots},
                               {"timeout", k_settling_seconds},
                               {"full", true}},
                              {.timeout_seconds = k_settling_seconds + k_patience_seconds});
  return answer && flag_of(*answer, "complete");
}

using Change = std::string (*)(std::string_view text, const std::vector<std::string>& names);

std::string change(const Options& options, const CutoverOrder& order, Change changed) {
  const std::string list = list_of_root(options, order.to);
  if (list.empty()) return "root " + order.to + " has no include_file any more";
  const auto before = os::read_file(list, k_longest_list);
  if (!before) return before.error().message();
  const std::string after = changed(*before, order.accounts);
  if (std::string why = write_list(list, after); !why.empty()) return why;
  std::string why = reload(options);
  if (!why.empty()) (void)write_list(list, *before);
  return why;
}

}  // namespace

tl::expected<Move, std::string> plan_move(const Json& answer, const std::vector<std::string>& accounts,
                                          const std::string& to) {
  const Json& roots = list_of(answer, "roots");
  const auto into = target(roots, to);
  if (!into) return Not(into.error());
  Move move{.roots = {}, .to = text_of(**into, "name"), .list = text_of(**into, "include_file")};
  for (const auto& name : accounts) {
    const Json* account = find_named(list_of(answer, "accounts"), name);
    if (account == nullptr) return Not("there is no account " + name);
    const Json* from = find_named(roots, text_of(*account, "root"));
    if (std::string why = why_not(*account, from, **into, name); !why.empty()) return Not(why);
    const std::string root = text_of(*from, "name");
    if (std::find(move.roots.begin(), move.roots.end(), root) == move.roots.end()) move.roots.push_back(root);
  }
  return move;
}

std::string join(const Options& options, const CutoverOrder& order, double timeout_seconds) {
  if (std::string why = change(options, order, config::with_names); !why.empty()) return why;
  const auto end = Clock::now() + std::chrono::duration<double>(timeout_seconds);
  while (arrived(options, order) < order.accounts.size()) {
    if (Clock::now() >= end) {
      return "the agent has read the list of root " + order.to +
             ", and has not moved all of the accounts there yet: maildirsync status says what it waits for";
    }
    std::this_thread::sleep_for(k_pause);
  }
  // It is on this side's disk. A receiver that is away hears of it before anything else is sent.
  (void)are_settled(options, order, {order.to});
  return "";
}

std::string leave(const Options& options, const CutoverOrder& order) {
  if (std::string why = change(options, order, config::without_names); !why.empty()) return why;
  if (are_settled(options, order, order.roots)) return "";
  return "the accounts are off the list of root " + order.to +
         ", but the receiver still has them as drained: on the new server, maildirsync disown AGENT --root " +
         order.to + " --account NAME for each, since a mirror undoes what users did there";
}

}  // namespace maildirsync::cli
