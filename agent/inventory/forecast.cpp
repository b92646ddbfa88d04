#include "agent/inventory/forecast.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "agent/inventory/sums.h"
#include "common/os/printable.h"

namespace maildirsync::agent {

using nlohmann::json;

namespace {

constexpr double k_reserve = 1.2;  // 20 % more than the source uses
constexpr std::size_t k_most_named = 1000;
// What a pair of small servers with disks of their own and a line of 1 Gbit/s does, cautiously.
constexpr double k_assumed_bytes_per_second = 20.0 * 1024 * 1024;
constexpr double k_assumed_messages_per_second = 1500;

std::uint64_t with_reserve(std::uint64_t count) {
  return static_cast<std::uint64_t>(std::ceil(k_reserve * static_cast<double>(count)));
}

std::string in_gib(std::uint64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1U << 30U));
}

constexpr const char* k_as_it_says = "do as it says";

const char* remedy_of(const ScanProblem& problem) {
  switch (problem.code) {
    case ErrorCode::permission:
      return "let the agent read it, as it says";
    case ErrorCode::special_file:
      return "take the link away, or mend where it leads";
    case ErrorCode::mail_left_out:
      return "do as it says, for neither verify nor cutover goes past mail that is left out; then plan again";
    default:
      return "mend what the operating system complains of";
  }
}

/// What a person should know of the times that are kept there; "" where all are.
std::string times_text(const os::KeptTimes& times) {
  constexpr std::int64_t k_second = 1'000'000'000;
  constexpr std::int64_t k_year_2100 = 4'102'444'800 * k_second;
  std::string text;
  if (times.grain > 1'000) {
    text = times.grain >= k_second ? fmt::format("times are kept to {} s there", times.grain / k_second)
                                   : fmt::format("times are kept to {} ms there", times.grain / 1'000'000);
  } else if (times.grain > 1) {
    text = fmt::format("times are kept to {} ns there", times.grain);
  }
  if (times.latest < k_year_2100) {
    text += (text.empty() ? "" : ", and ") +
            fmt::format("dates until {:%Y-%m-%d} only", fmt::gmtime(times.latest / k_second));
  }
  return text;
}

/// What lies there is not free, and so it is counted.
json to_json(const std::string& root, const Space::Trash& trash) {
  return {{"root", root},
          {"days", trash.days},
          {"files", trash.files},
          {"bytes", trash.bytes},
          {"oldest", trash.oldest.empty() ? json(nullptr) : json(os::printable(trash.oldest))}};
}

class Forecast {
 public:
  explicit Forecast(const Facts& facts) : facts_(facts) {}

  json run() {
    judge_roots();
    judge_receiver();
    for (const auto& one : facts_.standing)
      must(one.code, one.root, one.account, one.path, one.detail, "do as it says, or see maildirsync status");
    json answer = {{"accounts", accounts()}, {"roots", roots()},   {"totals", totals()},     {"space", space()},
                   {"watches", watches()},   {"owners", owners()}, {"left_out", left_out()}, {"expected", expected()}};
    judge_names();
    answer["left_out_count"] = left_out_count_;
    answer["receiver"] = {{"address", facts_.receiver_address},
                          {"asked", facts_.is_receiver_asked},
                          {"detail", facts_.is_receiver_asked ? "" : os::printable(facts_.receiver_trouble)}};
    answer["elapsed_seconds"] = facts_.elapsed_seconds;
    answer["ready"] = to_do_.empty();
    answer["to_do"] = std::move(to_do_);
    return answer;
  }

 private:
  void must(std::string_view code, const std::string& root, const std::string& account, const std::string& path,
            const std::string& detail, const std::string& remedy) {
    to_do_.push_back({{"code", code},
                      {"root", root},
                      {"account", os::printable(account)},
                      {"path", os::printable(path)},
                      {"detail", os::printable(detail)},
                      {"remedy", os::printable(remedy)}});
  }

  void judge_roots() {
    for (const auto& root : facts_.roots) {
      if (!root.trouble.empty())
        must(
            to_string(root.trouble_code), root.name, "", root.path, root.trouble,
            root.trouble_code == ErrorCode::root_gone ? "mount it, or put its path right in agent.toml" : k_as_it_says);
      for (const auto& problem : root.left_out) {
        must(to_string(problem.code), root.name, "", problem.path, problem.detail, remedy_of(problem));
      }
      const bool has_accounts = std::any_of(facts_.accounts.begin(), facts_.accounts.end(),
                                            [&](const Facts::Account& account) { return account.root == root.name; });
      if (facts_.is_of_all && !has_accounts && !root.may_be_empty && root.trouble.empty()) {
        must("no-accounts", root.name, "", root.path, "the root holds no account of the form " + root.accounts,
             "mount it, or put path and accounts right in agent.toml, or take the [[root]] out");
      }
      if (!root.distant_trouble.empty()) {
        must(to_string(root.distant_code), root.name, "", "", root.distant_trouble,
             root.distant_code == ErrorCode::root_gone ? "make or mount the root's path at the destination"
                                                       : "do as it says, on the new server");
      }
    }
  }

  void judge_receiver() {
    if (facts_.is_receiver_asked) return;
    must("unreachable", "", "", "", "the receiver was not asked for space and owners: " + facts_.receiver_trouble,
         "configure and start maildirsyncd, and let maildirsync doctor look; then plan again");
  }

  json accounts() const {
    json list = json::array();
    for (const auto& account : facts_.accounts) {
      const Inventory& inventory = account.inventory;
      list.push_back({{"root", account.root},
                      {"name", os::printable(account.name)},
                      {"folders", inventory.folders},
                      {"messages", inventory.messages},
                      {"bytes", inventory.bytes},
                      {"control_files", inventory.control_files},
                      {"control_bytes", inventory.control_bytes},
                      {"biggest_message", biggest_of(inventory)},
                      {"left_out", inventory.left_out.size()},
                      {"there_messages", account.there_messages},
                      {"there_bytes", account.there_bytes}});
    }
    return list;
  }

  json roots() const {
    json list = json::array();
    for (const auto& root : facts_.roots) {
      json one = to_json(sum_of_root(facts_, root.name));
      one["name"] = root.name;
      one["path"] = root.path;
      one["mode"] = root.mode;
      list.push_back(std::move(one));
    }
    return list;
  }

  json totals() const {
    const Sum all = sum_of_all(facts_);
    json totals = to_json(all);
    totals["biggest_message"] = nullptr;
    if (all.biggest != nullptr) {
      totals["biggest_message"] = biggest_of(all.biggest->inventory);
      totals["biggest_message"]["account"] = os::printable(all.biggest->name);
    }
    return totals;
  }

  /// Roots on one file system share its room.
  json space() {
    std::map<std::uint64_t, std::vector<const Facts::Root*>> by_file_system;
    for (const auto& root : facts_.roots) {
      if (root.space) by_file_system[root.space->file_system].push_back(&root);
    }
    json list = json::array();
    for (const auto& [file_system, roots] : by_file_system) {
      std::uint64_t disk_bytes = 0, inodes = 0, there_bytes = 0, there_inodes = 0;
      json names = json::array(), trash = json::array();
      std::string named;
      for (const auto* root : roots) {
        const Sum sum = sum_of_root(facts_, root->name);
        disk_bytes += sum.disk_bytes;
        inodes += sum.inodes;
        there_bytes += sum.there_bytes;
        there_inodes += sum.there_messages;
        names.push_back(root->name);
        if (root->space->trash) trash.push_back(to_json(root->name, *root->space->trash));
        named += (named.empty() ? "" : ", ") + root->name;
      }
      const Space& space = *roots.front()->space;
      const std::uint64_t needed_bytes = with_reserve(disk_bytes);
      const std::uint64_t needed_inodes = with_reserve(inodes);
      const bool enough_bytes = needed_bytes <= space.free_bytes + there_bytes;
      const bool enough_inodes = space.total_inodes == 0 || needed_inodes <= space.free_inodes + there_inodes;
      if (!enough_bytes) {
        must("no-space", named, "", "",
             fmt::format("{} are needed at the destination (the source's use in blocks of 4 KiB, and 20 %), {} are "
                         "free and {} are "
                         "there already",
                         in_gib(needed_bytes), in_gib(space.free_bytes), in_gib(there_bytes)),
             fmt::format("make {} more space there, or give a root a larger file system",
                         in_gib(needed_bytes - space.free_bytes - there_bytes)));
      }
      if (!enough_inodes) {
        must("no-space", named, "", "",
             fmt::format("{} inodes are needed at the destination (+20 %), {} are free", needed_inodes,
                         space.free_inodes),
             "make the file system with more inodes (mkfs.ext4 -i 4096), or use one without a fixed number (XFS, "
             "btrfs)");
      }
      list.push_back({{"roots", std::move(names)},
                      {"needed_bytes", needed_bytes},
                      {"there_bytes", there_bytes},
                      {"free_bytes", space.free_bytes},
                      {"total_bytes", space.total_bytes},
                      {"needed_inodes", needed_inodes},
                      {"free_inodes", space.total_inodes == 0 ? json(nullptr) : json(space.free_inodes)},
                      {"time_grain_seconds", static_cast<double>(space.times.grain) / 1e9},
                      {"times", times_text(space.times)},
                      {"trash", std::move(trash)},
                      {"enough", enough_bytes && enough_inodes}});
    }
    return list;
  }

  json watches() {
    const std::uint64_t needed = sum_of_all(facts_).directories + facts_.directories_above;
    const bool enough = !facts_.needs_watches || needed <= facts_.watch_limit;
    if (!enough) {
      must("unwatched", "", "", "",
           fmt::format("{} directories are to be watched, and fs.inotify.max_user_watches is {}", needed,
                       facts_.watch_limit),
           fmt::format("sysctl -w fs.inotify.max_user_watches={} (and in /etc/sysctl.d, to last); until then the "
                       "folders above the limit are looked at every 10 s",
                       std::max<std::uint64_t>(2 * needed, 524'288)));
    }
    return {{"needed", needed},
            {"limit", facts_.needs_watches ? json(facts_.watch_limit) : json(nullptr)},
            {"enough", enough}};
  }

  json owners() {
    json list = json::array();
    for (const auto& owner : facts_.owners) {
      if (!owner.is_mapped) {
        must("unmapped-owner", owner.root, "", "", owner.detail,
             "add it to the owner table of the root in receiver.toml, then systemctl reload maildirsyncd");
      }
      list.push_back({{"root", owner.root},
                      {"uid", owner.uid},
                      {"gid", owner.gid},
                      {"user", os::printable(owner.user)},
                      {"group", os::printable(owner.group)},
                      {"mapped", owner.is_mapped},
                      {"detail", os::printable(owner.detail)}});
    }
    return list;
  }

  /// What is not mail is left out and hinders nothing; what cannot be read is mail that would be missing.
  json left_out() {
    json list = json::array();
    for (const auto& account : facts_.accounts) {
      for (const auto& problem : account.inventory.left_out) {
        ++left_out_count_;
        if (list.size() < k_most_named) {
          list.push_back({{"code", to_string(problem.code)},
                          {"root", account.root},
                          {"account", os::printable(account.name)},
                          {"path", os::printable(problem.path)},
                          {"detail", os::printable(problem.detail)}});
        }
        if (problem.code == ErrorCode::special_file || to_do_.size() >= k_most_named) continue;
        must(to_string(problem.code), account.root, account.name, problem.path, problem.detail, remedy_of(problem));
      }
    }
    return list;
  }

  void judge_names() {
    for (const auto& root : facts_.roots) {
      if (!root.space || root.space->longest_name == 0) continue;
      for (const auto& account : facts_.accounts) {
        if (account.root != root.name || account.inventory.longest_name <= root.space->longest_name) continue;
        must("bad-name", root.name, account.name, "",
             fmt::format("a name has {} bytes, and the destination's file system holds {}",
                         account.inventory.longest_name, root.space->longest_name),
             "use another file system there, or rename the message at the source");
      }
    }
  }

  json expected() const {
    const Sum all = sum_of_all(facts_);
    const auto left = static_cast<double>(all.bytes + all.control_bytes - all.there_bytes);
    const auto left_messages = static_cast<double>(all.messages - all.there_messages);
    double seconds = 0;
    std::string basis, how;
    if (facts_.measured_bytes_per_second > 0) {
      basis = "measured";
      seconds = left / facts_.measured_bytes_per_second;
      how = fmt::format("at the {:.1f} MiB/s of the first copy until now",
                        facts_.measured_bytes_per_second / 1024 / 1024);
    } else {
      basis = "assumed";
      seconds = std::max(left / k_assumed_bytes_per_second, left_messages / k_assumed_messages_per_second);
      how = fmt::format(
          "assumed {:.0f} MiB/s and {:.0f} messages/s, whichever is slower; measured once the first copy runs",
          k_assumed_bytes_per_second / 1024 / 1024, k_assumed_messages_per_second);
    }
    if (facts_.bandwidth_limit > 0) {
      const double limited = left / static_cast<double>(facts_.bandwidth_limit);
      if (limited > seconds) {
        basis = "bandwidth-limit";
        seconds = limited;
        how = fmt::format("at bandwidth_limit, {:.1f} MiB/s, without what compression saves",
                          static_cast<double>(facts_.bandwidth_limit) / 1024 / 1024);
      }
    }
    return {{"first_copy_seconds", seconds},
            {"first_copy_bytes", left},
            {"basis", basis},
            {"how", how},
            // A flush walks the directories; a verification looks at every message, as this inventory did.
            {"flush_seconds", all.walk_seconds},
            {"verify_seconds", all.seconds},
            {"how_window", "what walking the directories, and looking at every message, took just now at the source"}};
  }

  const Facts& facts_;
  json to_do_ = json::array();
  std::uint64_t left_out_count_ = 0;
};

}  // namespace

json forecast(const Facts& facts) {
  return Forecast(facts).run();
}

}  // namespace maildirsync::agent
