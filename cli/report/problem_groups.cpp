#include "cli/report/problem_groups.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace maildirsync::cli {

namespace {

constexpr char k_varies[] = "…";

bool is_word(char c) {
  return c != ' ' && c != '(' && c != ')';
}

void replace_all(std::string& text, const std::string& what) {
  if (what.size() < 2) return;  // would be found anywhere
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.replace(at, what.size(), k_varies);
}

/// Quoted words, in any of the quotes that our sentences use.
std::string without_quoted(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char quote = text[at];
    const bool opens = (quote == '"' || quote == '\'') && (at == 0 || !is_word(text[at - 1]));
    const std::size_t end = opens ? text.find(quote, at + 1) : std::string::npos;
    if (end == std::string::npos) {
      out += quote;
    } else {
      out += k_varies;
      at = end;
    }
  }
  return out;
}

/// Words with a slash or an "@" are paths and names; digits are counts.
std::string without_names(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_word(text[end]))
      ++end;
    while (end > at && std::string_view(",;:.").find(text[end - 1]) != std::string_view::npos)
      --end;  // of the sentence, and not of the name
    const std::string word = text.substr(at, end - at);
    if (word.find_first_of("/@") != std::string::npos) {
      out += k_varies;
    } else {
      for (std::size_t i = 0; i < word.size(); ++i) {
        const bool digit = word[i] >= '0' && word[i] <= '9';
        const bool follows = i > 0 && word[i - 1] >= '0' && word[i - 1] <= '9';
        if (!digit) out += word[i];
        if (digit && !follows) out += '#';
      }
    }
    if (end < text.size()) out += text[end++];  // one that ends the word, or belongs to the sentence
    at = end;
  }
  return out;
}

std::optional<double> seconds_of(const Json& problem) {
  return number_of(problem, "since_seconds");
}

std::optional<double> older(std::optional<double> left, std::optional<double> right) {
  return left && right ? std::max(*left, *right) : left ? left : right;
}

std::string worst_of(const ProblemGroup& group) {
  std::map<std::string, std::pair<std::size_t, double>> by_account;
  for (const Json* problem : group.problems) {
    auto& [count, age] = by_account[text_of(*problem, "account")];
    ++count;
    age = std::max(age, seconds_of(*problem).value_or(0));
  }
  by_account.erase("");
  const auto worst = std::max_element(by_account.begin(), by_account.end(),
                                      [](const auto& left, const auto& right) { return left.second < right.second; });
  if (worst != by_account.end()) return worst->first;
  const std::string root = text_of(*group.problems.front(), "root");
  return root.empty() ? "" : "root " + root;
}

std::vector<ProblemGroup> grouped(const Json& problems, std::string (*key_of)(const Json&)) {
  std::map<std::pair<std::string, std::string>, ProblemGroup> groups;
  for (const auto& problem : problems) {
    const std::string code = text_of(problem, "code");
    auto& group = groups[{code, key_of(problem)}];
    group.code = code;
    group.problems.push_back(&problem);
  }
  std::vector<ProblemGroup> sorted;
  for (auto& [key, group] : groups) {
    std::stable_sort(group.problems.begin(), group.problems.end(), [](const Json* left, const Json* right) {
      return seconds_of(*left).value_or(0) > seconds_of(*right).value_or(0);
    });
    std::set<std::string> accounts;
    for (const Json* problem : group.problems) {
      if (auto account = text_of(*problem, "account"); !account.empty()) accounts.insert(std::move(account));
      group.oldest_seconds = older(group.oldest_seconds, seconds_of(*problem));
    }
    group.accounts = accounts.size();
    group.cause = text_of(*group.problems.front(), "detail");
    group.worst = worst_of(group);
    sorted.push_back(std::move(group));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const ProblemGroup& left, const ProblemGroup& right) {
    return std::tuple(stops(left.code), left.problems.size()) > std::tuple(stops(right.code), right.problems.size());
  });
  return sorted;
}

}  // namespace

bool stops(std::string_view code) {
  static constexpr std::array k_stopping{std::string_view("mass-deletion"),
                                         std::string_view("account-gone"),
                                         std::string_view("mount-gone"),
                                         std::string_view("root-gone"),
                                         std::string_view("destination-gone"),
                                         std::string_view("decisions-lost"),
                                         std::string_view("foreign-agent"),
                                         std::string_view("owned-by-another"),
                                         std::string_view("users-at-destination"),
                                         std::string_view("no-space"),
                                         std::string_view("unreachable"),
                                         std::string_view("timed-out"),
                                         std::string_view("wrong-service"),
                                         std::string_view("tls"),
                                         std::string_view("protocol"),
                                         std::string_view("state")};
  return std::find(k_stopping.begin(), k_stopping.end(), code) != k_stopping.end();
}

std::string cause_of(const Json& problem) {
  std::string cause = text_of(problem, "detail");
  for (const char* key : {"path", "account"})
    replace_all(cause, text_of(problem, key));
  return without_names(without_quoted(cause));
}

std::vector<ProblemGroup> group_problems(const Json& problems) {
  return grouped(problems, cause_of);
}

std::vector<ProblemGroup> group_by_code(const Json& problems) {
  return grouped(problems, [](const Json&) { return std::string(); });
}

std::vector<TroubledAccount> worst_accounts(const Json& problems, std::size_t most) {
  std::map<std::pair<std::string, std::string>, TroubledAccount> accounts;
  for (const auto& problem : problems) {
    std::string name = text_of(problem, "account");
    if (name.empty()) continue;
    std::string root = text_of(problem, "root");
    auto& account = accounts[{root, name}];
    account.root = std::move(root);
    account.name = std::move(name);
    ++account.count;
    std::string code = text_of(problem, "code");
    if (std::find(account.codes.begin(), account.codes.end(), code) == account.codes.end())
      account.codes.push_back(std::move(code));
    account.oldest_seconds = older(account.oldest_seconds, seconds_of(problem));
  }
  std::vector<TroubledAccount> sorted;
  for (auto& [key, account] : accounts)
    sorted.push_back(std::move(account));
  const auto rank = [](const TroubledAccount& account) {
    return std::tuple(std::any_of(account.codes.begin(), account.codes.end(), stops), account.count,
                      account.oldest_seconds.value_or(0));
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const TroubledAccount& left, const TroubledAccount& right) { return rank(left) > rank(right); });
  if (sorted.size() > most) sorted.resize(most);
  return sorted;
}

}  // namespace maildirsync::cli
