#include "cli/ask/progress.h"

#include <fmt/format.h>

#include "cli/report/format.h"

namespace maildirsync::cli {

namespace {

void show_accounts_done(ProgressBar& bar, const Json& progress, const std::string& rest) {
  const std::uint64_t done = count_of(progress, "accounts_done");
  const std::uint64_t accounts = count_of(progress, "accounts");
  bar.show(accounts > 0 ? static_cast<double>(done) / static_cast<double>(accounts) : 0,
           fmt::format("{} of {} accounts, {}", format_count(done), format_count(accounts), rest));
}

}  // namespace

void show_flush_progress(ProgressBar& bar, const Json& line) {
  const Json& progress = object_of(line, "progress");
  const auto accounts = static_cast<double>(count_of(progress, "accounts"));
  const auto waiting = static_cast<double>(count_of(progress, "pending_accounts"));
  bar.show(accounts > 0 ? 1 - waiting / accounts : 0,
           fmt::format("{:.0f} of {:.0f} accounts, {} pending ({})", accounts - waiting, accounts,
                       format_plural(count_of(progress, "pending_messages"), "message"),
                       format_bytes(static_cast<double>(count_of(progress, "pending_bytes")))) +
               (text_of(progress, "waits_for").empty() ? "" : "; " + text_of(progress, "waits_for")));
}

void show_plan_progress(ProgressBar& bar, const Json& line) {
  const Json& progress = object_of(line, "progress");
  show_accounts_done(bar, progress,
                     format_plural(count_of(progress, "messages"), "message") + ", " +
                         format_bytes(static_cast<double>(count_of(progress, "bytes"))));
}

void show_verify_progress(ProgressBar& bar, const Json& line) {
  const Json& progress = object_of(line, "progress");
  show_accounts_done(bar, progress, format_plural(count_of(progress, "differences"), "difference"));
}

}  // namespace maildirsync::cli
