#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/deploy/old_server.h"
#include "common/os/result.h"

namespace maildirsync::cli {

/// A bundle's archive: what it is, and its plain tar, for a server that need not know zstd. One thread at a time.
class Bundle {
 public:
  /// Reads all of it once: an archive that is damaged, or that differs from the FILE.sha256 beside it, is an error.
  static Result<Bundle> open(const std::string& path);
  Bundle(Bundle&&) noexcept;
  ~Bundle();

  const BundleName& name() const { return name_; }
  /// From the beginning again.
  Result<> rewind();
  /// The next bytes of the tar; "" at the end or when it cannot be read: see failed(). Valid until the next call.
  std::string_view next();
  bool failed() const { return failed_; }

 private:
  struct Stream;
  explicit Bundle(std::string path);

  std::string path_;
  BundleName name_;
  std::unique_ptr<Stream> stream_;
  bool failed_ = false;
};

/// "maildirsync-0.1.0-x86_64/…", the name of the first entry of a tar. Pure; ErrorCode::config for another one.
Result<BundleName> parse_bundle_name(std::string_view first_entry);

/// Where a package, or the bundle that this program is of, has the archive for an architecture. `prefix`: this
/// program's, such as "/usr". Pure.
std::string usual_bundle(const std::string& prefix, const std::string& version, const std::string& architecture);

}  // namespace maildirsync::cli
