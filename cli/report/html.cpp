#include "cli/report/html.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "common/os/directory.h"

namespace maildirsync::cli {

namespace {

constexpr std::string_view k_style = R"(
:root { color-scheme: light dark; --line: #8884; --faint: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 1.5rem 0 .5rem; }
.verdict { font-size: 1.1rem; font-weight: 600; padding: .6rem .9rem; border-radius: .4rem; }
.good { background: #1a7f3722; border-left: .3rem solid #1a7f37; }
.bad { background: #cf222e22; border-left: .3rem solid #cf222e; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid var(--line); }
.text { overflow-wrap: anywhere; min-width: 15.5rem; }
.numbers { text-align: right; white-space: nowrap; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td { display: grid; grid-template-columns: 6rem 1fr; border: 0; padding: .1rem 0;
    overflow-wrap: anywhere; text-align: left; }
  td:empty { display: none; }
  td::before { content: attr(data-label); color: var(--faint); }
}
)";

constexpr const char* class_of(Cells cells) {
  switch (cells) {
    case Cells::words:
      return "words";
    case Cells::text:
      return "text";
    case Cells::numbers:
      return "numbers";
  }
  return "";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string html_page(std::string_view title, std::string_view body) {
  const std::string escaped = escape_html(title);
  // The policy lets the page fetch and run nothing, whatever may be in it.
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{}</title>
<style>{}</style>
</head>
<body>
<h1>{}</h1>
{}</body>
</html>
)",
                     escaped, k_style, escaped, body);
}

std::string html_table(std::string_view heading, const std::vector<HtmlColumn>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  std::string html = fmt::format("<h2>{}</h2>\n<table>\n<thead><tr>", escape_html(heading));
  for (const auto& column : columns)
    html += fmt::format("<th class=\"{}\">{}</th>", class_of(column.cells), column.title);
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      html += fmt::format("<td class=\"{}\" data-label=\"{}\">{}</td>", class_of(columns[i].cells), columns[i].title,
                          escape_html(cells[i]));
    }
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table>\n";
}

ReportFile::ReportFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

Result<ReportFile> ReportFile::open(const std::string& path) {
  if (path.empty()) return ReportFile(-1, path);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return os_failure(path, "cannot write the report (--html)", errno);
  return ReportFile(fd, path);
}

Result<> ReportFile::write(std::string_view text) {
  if (::ftruncate(fd_.get(), 0) != 0 && errno != EINVAL) {  // EINVAL: no regular file
    return os_failure(path_, "cannot write the report (--html)", errno);
  }
  return os::write_all(fd_.get(), text, path_);
}

}  // namespace maildirsync::cli
