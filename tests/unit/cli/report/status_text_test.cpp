#include "cli/report/status_text.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/report/problem_groups.h"

namespace maildirsync::cli {
namespace {

struct Trouble {
  const char* code;
  const char* detail;  ///< %a the account, %p the path, %n a number
};

constexpr std::array<Trouble, 10> k_troubles{{
    {"mass-deletion", "%n of 240 messages would be deleted at once; the account is held"},
    {"permission", "cannot open for reading: %p: Permission denied"},
    {"unmapped-owner", "the owner 5077 of the source is not mapped at the destination"},
    {"no-space", "cannot write: No space left on device"},
    {"bad-name", "the name is too long for the destination: File name too long"},
    {"conflict", "another message has the name %p; it was kept"},
    {"mail-left-out", "it is a symbolic link that leads to a directory out of the account"},
    {"not-empty", "the folder %p holds what others put there"},
    {"io-error", "cannot read: %p: Input/output error"},
    {"stale-index", "a Dovecot at the destination has opened %a"},
}};

std::string filled(std::string text, const std::string& account, const std::string& path, int number) {
  for (const auto& [what, by] :
       {std::pair("%a", account), std::pair("%p", path), std::pair("%n", std::to_string(number))}) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what))
      text.replace(at, 2, by);
  }
  return text;
}

/// 5,000 accounts, of which 50 have troubles of ten kinds; of each kind, one account has two.
Json large_status() {
  Json problems = Json::array();
  int number = 0;
  for (std::size_t kind = 0; kind < k_troubles.size(); ++kind) {
    for (int i = 0; i < 6; ++i) {
      ++number;
      const std::string account =
          "user" + std::to_string(kind * 100 + static_cast<std::size_t>(i % 5)) + "@example.org";
      const std::string path = ".Archive.2024/cur/17000" + std::to_string(number) + ".M1P2.mx:2,S";
      problems.push_back({{"code", k_troubles[kind].code},
                          {"root", "vhosts"},
                          {"account", account},
                          {"path", path},
                          {"detail", filled(k_troubles[kind].detail, account, path, number)},
                          {"since", "2026-01-01T00:00:00Z"},
                          {"since_seconds", 3600.0 + number}});
    }
  }
  return {{"role", "agent"},
          {"version", "0.1.0"},
          {"state", "held"},
          {"lag_seconds", 10'800.0},
          {"pending", {{"messages", 12}, {"bytes", 40'960}}},
          {"refused", {{"messages", 46}, {"others", 2}, {"accounts", 30}, {"oldest_seconds", 10'800.0}}},
          {"peer", {{"address", "new.example.org:4465"}, {"connected", true}, {"connections", 5}}},
          {"totals", {{"messages_sent", 1'250'000}, {"bytes_source", 90'000'000'000}}},
          {"watcher", {{"backend", "inotify"}, {"reason", "the unit's rights allow no other"}}},
          {"roots",
           {{{"name", "vhosts"},
             {"mode", "mirror"},
             {"state", "held"},
             {"states", {{"live", 4'950}, {"held", 5}, {"refused", 45}}},
             {"accounts", 5'000},
             {"accounts_complete", 5'000},
             {"folders", 40'000},
             {"messages", 1'250'000},
             {"bytes", 90'000'000'000},
             {"pending_messages", 12},
             {"refused", {{"messages", 46}, {"others", 2}, {"oldest_seconds", 10'800.0}}},
             {"lag_seconds", 10'800.0},
             {"unwatched_folders", 0},
             {"extra", 0}}}},
          {"problems", problems},
          {"problems_count", problems.size()}};
}

/// What a terminal of 80 by 24 shows, with its long lines wrapped.
std::vector<std::string> first_screen(const std::string& text) {
  std::vector<std::string> rows;
  std::istringstream lines(text);
  for (std::string line; rows.size() < 24 && std::getline(lines, line);) {
    std::string row;
    std::size_t width = 0;
    for (const char c : line) {
      const bool begins = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      if (begins && width == 80) {
        rows.push_back(row);
        row.clear();
        width = 0;
      }
      row += c;
      width += begins ? 1 : 0;
    }
    rows.push_back(row);
  }
  rows.resize(std::min<std::size_t>(rows.size(), 24));
  return rows;
}

std::string text_of(const Json& status, Problems shown = Problems::first_ones) {
  return status_text(status, {}, std::nullopt, shown, Colour::off);
}

TEST(StatusText, the_first_screen_names_each_kind_of_trouble_with_its_count_and_its_worst_account) {
  const std::string text = text_of(large_status());
  const auto screen = first_screen(text);
  for (std::size_t kind = 0; kind < k_troubles.size(); ++kind) {
    const std::string code = k_troubles[kind].code;
    const std::string worst = "user" + std::to_string(kind * 100) + "@example.org";
    const bool found = std::any_of(screen.begin(), screen.end(), [&](const std::string& row) {
      std::istringstream words(row);
      std::string first, count;
      words >> first >> count;
      return first == code && count == "6" && row.find(worst) != std::string::npos;
    });
    EXPECT_TRUE(found) << code << '\n' << text;
  }
  const bool counts = std::any_of(screen.begin(), screen.end(), [](const std::string& row) {
    return row.find("4,950 live, 45 refused, 5 held") != std::string::npos;
  });
  EXPECT_TRUE(counts) << text;
}

TEST(StatusText, rows_of_the_overview_fit_the_screen) {
  std::istringstream lines(text_of(large_status()));
  bool in_overview = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("PROBLEMS: ")) in_overview = true;
    if (line.empty()) in_overview = false;
    if (!in_overview) continue;
    const auto width =
        std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    EXPECT_LE(width, 80) << line;
  }
}

TEST(StatusText, of_each_kind_three_are_named_and_all_when_that_is_asked_for) {
  const auto count = [](const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++found;
    return found;
  };
  const std::string few = text_of(large_status());
  EXPECT_EQ(count(few, "Input/output error\n"), 3U) << few;
  EXPECT_EQ(count(few, "… and 3 more of this kind"), 10U);
  EXPECT_NE(few.find("maildirsync status --all"), std::string::npos);
  const std::string all = text_of(large_status(), Problems::all);
  EXPECT_EQ(count(all, "Input/output error\n"), 6U) << all;
  EXPECT_EQ(count(all, "more of this kind"), 0U);
}

TEST(StatusText, more_kinds_than_fit_are_told_by_their_codes) {
  Json status = large_status();
  for (int i = 0; i < 40; ++i) {
    status["problems"].push_back(
        {{"code", "io-error"},
         {"root", "vhosts"},
         {"account", "x@example.org"},
         {"path", ""},
         {"detail", "trouble of its own kind: " + std::string(static_cast<std::size_t>(i) + 1, 'x')}});
  }
  const auto screen = first_screen(text_of(status));
  for (const auto& trouble : k_troubles) {
    EXPECT_TRUE(std::any_of(screen.begin(), screen.end(),
                            [&](const std::string& row) { return row.starts_with(trouble.code); }))
        << trouble.code << '\n'
        << text_of(status);
  }
}

TEST(StatusText, a_code_that_nobody_knows_is_shown_like_the_others) {
  Json status = large_status();
  status["problems"] = {
      {{"code", "sun-spots"}, {"root", "vhosts"}, {"account", "a@x"}, {"path", ""}, {"detail", "many"}}};
  EXPECT_NE(text_of(status).find("sun-spots"), std::string::npos);
}

TEST(StatusText, what_only_the_destination_has_is_on_the_first_screen_before_the_troubles) {
  Json status = large_status();
  EXPECT_EQ(text_of(status).find("extra:"), std::string::npos);
  status["extra_detail"] = "only the destination has 12 files";
  const auto screen = first_screen(text_of(status));
  const auto place = [&](std::string_view begin) {
    return std::find_if(screen.begin(), screen.end(), [&](const auto& row) { return row.starts_with(begin); });
  };
  EXPECT_NE(place("extra: only the destination has 12 files"), screen.end());
  EXPECT_LT(place("extra: "), place("PROBLEMS"));
}

TEST(StatusText, what_users_put_into_a_drained_root_is_not_counted) {
  Json status = large_status();
  status["roots"] = {{{"name", "mail"}, {"mode", "drain"}, {"state", "draining"}, {"extra", 7}}};
  EXPECT_EQ(text_of(status).find("EXTRA"), std::string::npos);
  status["roots"].push_back({{"name", "more"}, {"mode", "mirror"}, {"state", "live"}, {"extra", 12}});
  const std::string text = text_of(status);
  EXPECT_NE(text.find("EXTRA"), std::string::npos);
  EXPECT_EQ(text.find(" 7\n"), std::string::npos) << text;
}

TEST(StatusText, a_pattern_that_matches_no_account_is_said) {
  Json status = large_status();
  status["problems"] = Json::array();
  status["account_glob"] = "nobody@*";
  status["accounts"] = Json::array();
  EXPECT_NE(text_of(status).find("\nno account matches 'nobody@*'\n"), std::string::npos);
}

TEST(ProblemGroups, a_cause_is_the_same_whatever_path_account_or_number_it_names) {
  const auto cause = [](const char* account, const char* path, const char* detail) {
    return cause_of({{"account", account}, {"path", path}, {"detail", detail}});
  };
  EXPECT_EQ(cause("a@x", "cur/1.M1", "cannot open: /srv/x/a/cur/1.M1: Permission denied"),
            cause("b@x", "cur/22.M7", "cannot open: /srv/x/b/cur/22.M7: Permission denied"));
  EXPECT_EQ(cause("a@x", "", "60 of 200 messages; release --account 'a@x'"),
            cause("b@x", "", "1234 of 4000 messages; release --account 'b@x'"));
  EXPECT_NE(cause("a@x", "f", "cannot open: /a/f: Permission denied"),
            cause("a@x", "f", "cannot open: /a/f: Input/output error"));
}

TEST(ProblemGroups, what_holds_comes_first_then_the_most) {
  const Json status = large_status();
  Json problems = status["problems"];
  problems.push_back({{"code", "io-error"}, {"account", "z@x"}, {"detail", "cannot read: x/y: Input/output error"}});
  const auto groups = group_problems(problems);
  ASSERT_EQ(groups.size(), 10U);
  EXPECT_TRUE(stops(groups.front().code)) << groups.front().code;
  const auto first_other = std::find_if(groups.begin(), groups.end(), [](const auto& one) { return !stops(one.code); });
  EXPECT_EQ(first_other->code, "io-error");
  EXPECT_EQ(first_other->problems.size(), 7U);
  EXPECT_EQ(first_other->accounts, 6U);
}

TEST(ProblemGroups, the_worst_accounts_are_those_held_and_those_with_most) {
  const auto worst = worst_accounts(large_status()["problems"], 10);
  ASSERT_EQ(worst.size(), 10U);
  EXPECT_TRUE(std::any_of(worst.front().codes.begin(), worst.front().codes.end(), stops));
  EXPECT_EQ(worst.front().count, 2U);
}

}  // namespace
}  // namespace maildirsync::cli
