#include "daemon/decisions/book_files.h"

#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "common/decisions/file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

constexpr std::string_view k_prefix = "decisions-";

/// Not one that was put aside, nor one that was being written.
bool is_book(const std::string& name) {
  return name.starts_with(k_prefix) && name.find('.') == std::string::npos;
}

}  // namespace

std::string book_file(const std::string& state_dir, const std::string& fingerprint) {
  const auto colon = fingerprint.find(':');
  return state_dir + '/' + std::string(k_prefix) +
         (colon == std::string::npos ? fingerprint : fingerprint.substr(colon + 1));
}

Result<std::map<std::string, decisions::Book>> read_books(const std::string& state_dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_dir, error)) {
    if (is_book(entry.path().filename().string())) paths.push_back(entry.path().string());
  }
  if (error) return os_failure(state_dir, "the state directory cannot be read", error.value());
  std::map<std::string, decisions::Book> books;
  for (const auto& path : paths) {
    MAILDIRSYNC_ASSIGN(auto found, decisions::read_book(path));
    if (!found.damage.empty()) {
      service::log_warning(
          "decisions-damaged path={} detail=\"{}\" action=\"the agent's word counts, and the copy in the root\"", path,
          found.damage);
    }
    if (found.exists) books[found.book.agent] = std::move(found.book);
  }
  return books;
}

}  // namespace maildirsync::daemon
