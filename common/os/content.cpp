#include "common/os/content.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <unistd.h>

namespace maildirsync::os {

Result<> Content::read(std::uint64_t offset, std::uint64_t end,
                       const std::function<Result<>(std::string_view)>& take) const {
  if (fd_ < 0) return offset < end ? take(bytes_.substr(offset, end - offset)) : Result<>();
  constexpr std::uint64_t k_piece = 128 * 1024;
  std::vector<char> buffer(std::min(k_piece, end - std::min(offset, end)));
  while (offset < end) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - offset));
    const ssize_t count = ::pread(fd_, buffer.data(), wanted, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_failure(path_, "cannot read", errno);
    if (count == 0) return failure(ErrorCode::changed_while_read, path_, "the file became shorter while it was read");
    MAILDIRSYNC_TRY(take({buffer.data(), static_cast<std::size_t>(count)}));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

}  // namespace maildirsync::os
