#include "cli/setup/quiet_start.h"

#include <cerrno>
#include <ctime>

#include <sys/stat.h>
#include <unistd.h>

#include "cli/setup/files.h"
#include "common/config/document.h"
#include "common/decisions/file.h"
#include "common/os/name_service.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

Result<> make_state_directory(const std::string& path) {
  if (os::exists(path)) return {};
  MAILDIRSYNC_TRY(make_directories(os::directory_of(path)));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return os_failure(path, "it cannot be made", errno);
  return {};
}

/// The file belongs to whoever has the directory. One that is root's becomes the service's, if its user is there
/// already: a daemon that is started with --user takes over the directory alone, and systemd all of it.
Result<> give_to_service(const Places& places, const std::string& directory, const std::string& path) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return os_failure(directory, "it cannot be read", errno);
  uid_t user = status.st_uid;
  gid_t group = status.st_gid;
  const auto service = user == 0 && places.is_default ? os::find_user(service_user(Role::agent)) : std::nullopt;
  if (service) {
    user = service->uid;
    group = service->gid;
  }
  for (const auto& one : {path, directory}) {
    if (::lchown(one.c_str(), user, group) != 0) return os_failure(one, "it cannot be given to the service", errno);
  }
  return {};
}

}  // namespace

Result<> start_paused(const Places& places) {
  MAILDIRSYNC_ASSIGN(const auto document, config::read_document(places.config));
  const config::Value* configured = document.find("state_dir");
  const std::string directory = configured == nullptr ? places.state_dir : configured->text;
  const std::string path = directory + "/decisions";
  MAILDIRSYNC_TRY(make_state_directory(directory));
  MAILDIRSYNC_ASSIGN(auto found, decisions::read_book(path));
  decisions::Book& book = found.book;
  const auto* last = decisions::newest(book.pause);
  if (last != nullptr && last->word == decisions::Word::pause) return {};
  book.pause = decisions::say(book.pause, {},
                              {.number = 0,
                               .word = decisions::Word::pause,
                               .id = decisions::random_id(),
                               .when = decisions::stamp_of(std::time(nullptr)),
                               .by = "--paused",
                               .given_until = 0});
  MAILDIRSYNC_TRY(decisions::write_book(path, book));
  return ::geteuid() == 0 ? give_to_service(places, directory, path) : Result<>();
}

}  // namespace maildirsync::cli
