#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/os/result.h"

namespace maildirsync::os {

/// Bytes that are read piece by piece: some in memory, or the first ones of a file, which are never in memory as a
/// whole. Refers to them; they must outlive it. Copyable.
class Content {
 public:
  Content(std::string_view bytes) : bytes_(bytes), size_(bytes.size()) {}  // NOLINT(google-explicit-constructor)
  Content(const std::string& bytes) : Content(std::string_view(bytes)) {}  // NOLINT(google-explicit-constructor)
  Content(const char* bytes) : Content(std::string_view(bytes)) {}         // NOLINT(google-explicit-constructor)
  /// `path` is for messages.
  Content(int fd, std::uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}

  std::uint64_t size() const { return size_; }

  /// Gives the bytes from `offset` up to `end` to `take`, in their order. changed_while_read when the file has become
  /// shorter; what `take` fails with ends it.
  Result<> read(std::uint64_t offset, std::uint64_t end, const std::function<Result<>(std::string_view)>& take) const;

 private:
  std::string_view bytes_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::string path_;
};

}  // namespace maildirsync::os
