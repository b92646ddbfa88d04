#include "common/service/daemon.h"

#include <cerrno>
#include <csignal>

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "common/os/path.h"
#include "common/service/memory.h"
#include "common/service/privileges.h"
#include "common/service/service.h"

namespace maildirsync::service {

int complain(const Daemon& daemon, const std::string& sentence) {
  notify_status(sentence);
  std::cerr << daemon.name << ": " << sentence << '\n';
  return k_exit_configuration;
}

Result<> prepare(const Daemon& daemon, const Options& options, const std::string& configured_level,
                 const std::string& state_dir, const std::string& control) {
  start_log(options.log_level.empty() ? configured_level : options.log_level);
  raise_file_limit();
  if (!options.user.empty()) {
    MAILDIRSYNC_TRY(become(options.user, daemon.keeps, {state_dir, os::directory_of(control)}));
  }
  bound_heap();
  std::signal(SIGPIPE, SIG_IGN);
  hold_signals();
  return {};
}

Result<> make_state_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return os_failure(path, "cannot make the state directory (state_dir)", errno);
}

void answer_reload(control::Reply& reply, const std::string& file, const Result<>& done) {
  if (!done) return reply.finish(control::error("config", done.error().message()));
  reply.finish({{"ok", true}, {"message", file + " was read anew"}});
}

}  // namespace maildirsync::service
