#include "daemon/decisions/copy_in_root.h"

#include <filesystem>

#include "common/decisions/file.h"
#include "common/service/log.h"

namespace maildirsync::daemon {

namespace {

constexpr const char* k_copy = "/.maildirsync.decisions";

}  // namespace

decisions::Book read_copy(const std::string& place) {
  auto found = decisions::read_book(place + k_copy, decisions::Whose::own);
  if (!found && found.error().code == ErrorCode::permission) {
    service::log_warning("decisions-copy path={} detail=\"{}\"", place, found.error().message());
    return {};
  }
  if (!found) {
    service::log_debug("decisions-copy path={} detail=\"{}\"", place, found.error().message());
    return {};
  }
  if (!found->damage.empty()) service::log_warning("decisions-damaged path={} detail=\"{}\"", place, found->damage);
  return std::move(found->book);
}

bool is_worth_a_copy(const decisions::Chain& chain) {
  return chain.size() > 1 || (!chain.empty() && chain.back().word == decisions::Word::drain);
}

bool is_the_root(const std::string& place) {
  std::error_code ignored;
  return std::filesystem::exists(place + "/.maildirsync.root", ignored);
}

void write_copy(const std::string& place, const decisions::Book& copy) {
  if (read_copy(place) == copy) return;
  if (const auto written = decisions::write_book(place + k_copy, copy); !written) {
    service::log_debug("decisions-copy path={} detail=\"{}\"", place, written.error().message());
  }
}

}  // namespace maildirsync::daemon
