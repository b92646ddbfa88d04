#include "cli/deploy/bundle.h"

#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <zstd.h>

#include "cli/setup/files.h"
#include "common/os/directory.h"
#include "common/os/fd.h"
#include "common/os/path.h"

namespace maildirsync::cli {

namespace {

constexpr std::size_t k_name_length = 100;  // of an entry in a tar header

}  // namespace

struct Bundle::Stream {
  os::Fd fd;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> decoder{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::vector<char> in = std::vector<char>(ZSTD_DStreamInSize());
  std::vector<char> out = std::vector<char>(ZSTD_DStreamOutSize());
  ZSTD_inBuffer input{nullptr, 0, 0};
  std::size_t wanted = 0;  ///< 0: a frame is whole
};

Bundle::Bundle(std::string path) : path_(std::move(path)) {}
Bundle::Bundle(Bundle&&) noexcept = default;
Bundle::~Bundle() = default;

Result<> Bundle::rewind() {
  failed_ = false;
  stream_ = std::make_unique<Stream>();
  stream_->fd.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!stream_->fd) return os_failure(path_, "the bundle cannot be read", errno);
  return {};
}

std::string_view Bundle::next() {
  Stream& stream = *stream_;
  ZSTD_outBuffer output{stream.out.data(), stream.out.size(), 0};
  while (output.pos == 0 && !failed_) {
    if (stream.input.pos == stream.input.size) {
      const ssize_t size = ::read(stream.fd.get(), stream.in.data(), stream.in.size());
      if (size < 0 && errno == EINTR) continue;
      failed_ = size < 0 || (size == 0 && stream.wanted != 0);
      if (size <= 0) break;
      stream.input = {stream.in.data(), static_cast<std::size_t>(size), 0};
    }
    stream.wanted = ZSTD_decompressStream(stream.decoder.get(), &output, &stream.input);
    failed_ = ZSTD_isError(stream.wanted) != 0;
  }
  return {stream.out.data(), failed_ ? 0 : output.pos};
}

Result<Bundle> Bundle::open(const std::string& path) {
  Bundle bundle(path);
  const auto damaged = [&](const char* how) {
    return failure(ErrorCode::config, path,
                   fmt::format("{}: take it anew from where it came (or make it: packaging/bundle)", how));
  };
  const std::string sum_file = path + ".sha256";
  if (const auto wanted = os::read_file(sum_file, 4096)) {
    const auto sum = output_of({"sha256sum", path});
    if (sum && sum->substr(0, sum->find(' ')) != wanted->substr(0, wanted->find(' ')))
      return damaged("the bundle differs from the sum in the .sha256 file beside it");
  }
  MAILDIRSYNC_TRY(bundle.rewind());
  std::string first;
  std::uint64_t size = 0;
  for (std::string_view part = bundle.next(); !part.empty(); part = bundle.next()) {
    if (first.size() < k_name_length) first.append(part.substr(0, k_name_length - first.size()));
    size += part.size();
  }
  if (bundle.failed_ || size == 0) {
    if (path.ends_with(".gz"))
      return failure(ErrorCode::config, path, "this is the bundle for unpacking by hand: give the .tar.zst beside it");
    return damaged("the bundle is damaged, or it is not an archive of zstd");
  }
  const auto name = parse_bundle_name(first.substr(0, first.find('\0')));
  if (!name) return damaged("the archive is not a bundle of maildirsync");
  bundle.name_ = *name;
  bundle.name_.unpacked_kib = size / 1024;
  return bundle;
}

Result<BundleName> parse_bundle_name(std::string_view first_entry) {
  constexpr std::string_view k_prefix = "maildirsync-";
  const std::size_t slash = first_entry.find('/');
  const std::string_view name = first_entry.substr(0, slash);
  const std::size_t dash = name.rfind('-');
  if (slash == std::string_view::npos || !name.starts_with(k_prefix) || dash <= k_prefix.size() ||
      dash + 1 >= name.size())
    return failure(ErrorCode::config, "", "not a bundle");
  return BundleName{std::string(name.substr(k_prefix.size(), dash - k_prefix.size())),
                    std::string(name.substr(dash + 1)), 0};
}

std::string usual_bundle(const std::string& prefix, const std::string& version, const std::string& architecture) {
  return fmt::format("{}/share/maildirsync/bundles/maildirsync-{}-{}.tar.zst", prefix, version, architecture);
}

}  // namespace maildirsync::cli
