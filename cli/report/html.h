#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Text for an element or an attribute in quotes: no markup comes out of it.
std::string escape_html(std::string_view text);

/// A whole page that needs nothing from elsewhere and reads well on a phone. `body` is HTML: use `.good`, `.bad`,
/// `<dl>` for facts and html_table.
std::string html_page(std::string_view title, std::string_view body);

/// Words stay whole where there is room for them; text and names of files may break anywhere.
enum class Cells { words, text, numbers };

struct HtmlColumn {
  const char* title;
  Cells cells = Cells::words;
};

/// A table under a heading, or "" without rows; each row has a cell for each column. On a narrow screen a row is a
/// block.
std::string html_table(std::string_view heading, const std::vector<HtmlColumn>& columns,
                       const std::vector<std::vector<std::string>>& rows);

/// Where a report will be: opened at once, so that hours of work are not done for a file that can't be written.
class ReportFile {
 public:
  /// "": no report is wanted.
  static Result<ReportFile> open(const std::string& path);
  bool is_wanted() const { return static_cast<bool>(fd_); }
  /// Replaces what the file held.
  Result<> write(std::string_view text);

 private:
  ReportFile(int fd, std::string path);

  os::Fd fd_;
  std::string path_;
};

}  // namespace maildirsync::cli
