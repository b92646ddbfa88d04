#pragma once

#include <string>
#include <string_view>

#include "common/os/fd.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// Text for an element or an attribute in quotes: no markup comes out of it.
std::string escape_html(std::string_view text);

/// A whole page that needs nothing from elsewhere and reads well on a phone. `body` is HTML: use `.good`, `.bad`,
/// `<dl>` for facts and `<table>` with data-label on its cells.
std::string html_page(std::string_view title, std::string_view body);

/// This host's name, for a report's head; "" when it has none.
std::string this_host();

/// Where a report will be: opened at once, so that hours of work are not done for a file that can't be written.
class ReportFile {
 public:
  static Result<ReportFile> open(const std::string& path);
  /// Replaces what the file held.
  Result<> write(std::string_view text);

 private:
  ReportFile(int fd, std::string path);

  os::Fd fd_;
  std::string path_;
};

}  // namespace maildirsync::cli
