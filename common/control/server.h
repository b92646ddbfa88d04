#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <asio/io_context.hpp>
#include <nlohmann/json_fwd.hpp>

#include "common/os/result.h"

namespace maildirsync::control {

using Json = nlohmann::json;

/// The last line of an answer that could not be given: a word for programs, a sentence for people.
Json error(std::string_view code, const std::string& message);

/// A client's open request. Copyable; usable on the event loop's thread only.
class Reply {
 public:
  virtual ~Reply() = default;
  /// A line of progress ({"progress": …}); the client shows it on stderr.
  virtual void progress(const Json& json) = 0;
  /// The answer; once. Errors are {"error": {"code": …, "message": …}}.
  virtual void finish(const Json& json) = 0;
  /// False once the client has hung up: whoever works for it may stop.
  virtual bool wanted() const = 0;
};

/// Called for each request {"command": "…", …}; answers through `reply` now or later (kept alive by the pointer).
using Handler = std::function<void(const Json& request, std::shared_ptr<Reply> reply)>;

/// The control socket: JSON objects, one a line (at most 64 KiB in), over a Unix socket of mode 0660. Lives on the
/// event loop; owns the socket file and removes it at its end. A stale socket file is replaced, a live one refused
/// (another daemon runs: ErrorCode::exists). A client that sends garbage or nothing hurts nobody.
class Server {
 public:
  static Result<std::unique_ptr<Server>> listen(asio::io_context& loop, const std::string& path, Handler handler);
  virtual ~Server() = default;
};

}  // namespace maildirsync::control
