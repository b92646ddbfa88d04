#include "common/os/acl.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <span>

#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace maildirsync::os {

namespace {

constexpr std::uint32_t k_group = 070, k_others = 07, k_group_and_others = 077;
constexpr std::size_t k_largest = 65536;  // XATTR_SIZE_MAX
constexpr char k_attribute[] = "system.posix_acl_access";

template <class Number>
Number number_at(std::string_view bytes, std::size_t at) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<Number>(value | static_cast<Number>(static_cast<unsigned char>(bytes[at + i])) << (8 * i));
  return value;
}

#ifndef SYS_getxattrat
constexpr long SYS_getxattrat = 464;  // of all architectures
#endif

/// struct xattr_args of <linux/xattr.h>
struct Arguments {
  alignas(8) std::uint64_t value;
  std::uint32_t size, flags;
};

/// Since Linux 6.13; nothing where it is not there or not permitted.
std::optional<ssize_t> read_at(int directory, const std::string& name, std::span<char> value) {
  static std::atomic<bool> is_there = true;
  if (!is_there) return std::nullopt;
  Arguments arguments{reinterpret_cast<std::uintptr_t>(value.data()), static_cast<std::uint32_t>(value.size()), 0};
  const int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
  const long size =
      ::syscall(SYS_getxattrat, directory, name.c_str(), flags, k_attribute, &arguments, sizeof arguments);
  if (size >= 0 || (errno != ENOSYS && errno != EPERM)) return size;
  is_there = false;
  return std::nullopt;
}

/// The size of the attribute; nothing, and errno, when there is none or it is larger.
std::optional<std::size_t> read_acl(int directory, const std::string& name, std::span<char> value) {
  auto size = read_at(directory, name, value);
  if (!size) {
    const std::string path = "/proc/self/fd/" + std::to_string(directory) + "/" + (name.empty() ? "." : name);
    size = ::lgetxattr(path.c_str(), k_attribute, value.data(), value.size());
  }
  return *size >= 0 ? std::optional(static_cast<std::size_t>(*size)) : std::nullopt;
}

}  // namespace

PlainMode mode_without_acl(std::uint32_t mode, std::string_view acl) {
  constexpr std::size_t k_head = 4, k_entry = 8;
  const PlainMode unknown{mode & ~k_group_and_others, true};
  if (acl.size() < k_head || (acl.size() - k_head) % k_entry != 0 ||
      number_at<std::uint32_t>(acl, 0) != POSIX_ACL_XATTR_VERSION) {
    return unknown;
  }
  std::uint32_t mask = 07, group = 0, others = mode & k_others, named = 07;
  bool is_extended = false;
  for (std::size_t at = k_head; at < acl.size(); at += k_entry) {
    const auto permissions = number_at<std::uint16_t>(acl, at + 2) & 07U;
    switch (number_at<std::uint16_t>(acl, at)) {
      case ACL_USER:
      case ACL_GROUP:
        is_extended = true;
        named &= permissions;
        break;
      case ACL_GROUP_OBJ:
        group = permissions;
        break;
      case ACL_MASK:
        is_extended = true;
        mask = permissions;
        break;
      case ACL_OTHER:
        others = permissions;
        break;
      default:
        break;
    }
  }
  if (!is_extended) return {mode, false};
  group &= mask & named;
  others &= named;
  return {(mode & ~k_group_and_others) | (mode & (group << 3U | others)), true};
}

PlainMode mode_without_acl_of(int directory, const std::string& name, std::uint32_t mode) {
  if ((mode & k_group_and_others) == 0) return {mode, false};
  std::array<char, 512> value{};
  const auto size = read_acl(directory, name, value);
  if (size) return mode_without_acl(mode, {value.data(), *size});
  if (errno != ERANGE) return {mode, false};
  std::string large(k_largest, '\0');
  return mode_without_acl(mode, std::string_view(large).substr(0, read_acl(directory, name, large).value_or(0)));
}

}  // namespace maildirsync::os
