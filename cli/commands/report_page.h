#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/report/html.h"

namespace maildirsync::cli {

/// The page that a command writes besides, where --html FILE asks for one.
class Page {
 public:
  /// Adds the option; `file` gets what it names.
  static void add(Parser& command, std::string& file, const std::string& about);

  /// "" for none. Nothing when the file cannot be written, which was said then.
  static std::optional<Page> open(const std::string& file);

  /// Writes what `text` makes, where a page is wanted. False when it could not be written, which was said then.
  bool write(const std::function<std::string()>& text);

 private:
  explicit Page(ReportFile file) : file_(std::move(file)) {}

  ReportFile file_;
};

}  // namespace maildirsync::cli
