#include "cli/commands/report_page.h"

#include "cli/ask/ask.h"

namespace maildirsync::cli {

void Page::add(Parser& command, std::string& file, const std::string& about) {
  command.add_option("--html", file, about)->type_name("FILE");
}

std::optional<Page> Page::open(const std::string& file) {
  auto opened = ReportFile::open(file);
  if (opened) return Page(std::move(*opened));
  complain(opened.error().message());
  return std::nullopt;
}

bool Page::write(const std::function<std::string()>& text) {
  if (!file_.is_wanted()) return true;
  const auto done = file_.write(text());
  if (!done) complain(done.error().message());
  return done.has_value();
}

}  // namespace maildirsync::cli
