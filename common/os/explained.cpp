#include "common/os/explained.h"

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/os/path.h"

namespace maildirsync::os {

namespace {

struct Right {
  unsigned number;
  const char* name;
};

std::vector<Right> rights_of(Side side) {
  if (side == Side::source) return {{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
  return {{CAP_CHOWN, "CAP_CHOWN"}, {CAP_FOWNER, "CAP_FOWNER"}, {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"}};
}

/// Of the rights that the unit gives the service, those that this process lacks; "" for none.
std::string lacking_rights(Side side) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return "";
  std::string lacking;
  for (const auto& right : rights_of(side)) {
    const bool has = (data[right.number / 32].effective >> (right.number % 32) & 1U) != 0;
    if (!has) lacking += (lacking.empty() ? "" : ", ") + std::string(right.name);
  }
  return lacking;
}

const char* service_of(Side side) {
  return side == Side::source ? "maildirsync-agent" : "maildirsyncd";
}

const char* there(Side side) {
  return side == Side::source ? "at the source" : "at the destination";
}

/// The flag by which neither owner nor root can change a file, or its directory; "" for none.
std::string flag_of(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) != 0) return "";
  if ((status.stx_attributes & STATX_ATTR_IMMUTABLE) != 0) return "i";
  return (status.stx_attributes & STATX_ATTR_APPEND) != 0 ? "a" : "";
}

/// The last directory on the way that is another thing than a directory; `path` itself where none is.
std::string obstacle_on(const std::string& path) {
  std::string obstacle = path;
  for (std::size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    const std::string above = path.substr(0, end);
    struct stat status {};
    if (::lstat(above.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) obstacle = above;
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) obstacle = path;
  return obstacle;
}

std::string hint_of_refusal(Error& error, Side side) {
  for (const auto& path : {error.path, above(error.path)}) {
    const std::string flag = path.empty() ? "" : flag_of(path);
    if (flag.empty()) continue;
    error.code = ErrorCode::immutable;
    return path + " has the flag " + (flag == "i" ? "immutable" : "append-only") + " " + there(side) +
           ", which stops root, too: chattr -" + flag + " it there";
  }
  if (const std::string lacking = lacking_rights(side); !lacking.empty()) {
    return std::string(service_of(side)) + " runs without " + lacking + ": start it by its unit (systemctl start " +
           service_of(side) + "), which gives it that, or as root";
  }
  return std::string(service_of(side)) + " has the rights that it needs, and the file system " + there(side) +
         " refuses all the same: NFS must be exported with no_root_squash, FUSE mounted with allow_root or "
         "allow_other; "
         "else a security module does (SELinux, AppArmor): journalctl -k";
}

std::string hint_of_obstacle(const Error& error, Side side) {
  const std::string obstacle = obstacle_on(error.path);
  struct stat status {};
  if (::lstat(obstacle.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    return obstacle + " is a symbolic link " + there(side) +
           ", and none is followed: put the directory itself there, or mount it there (mount --bind)";
  }
  return "something of another kind lies " + std::string(there(side)) + " at " + obstacle +
         ", a file in the place of a directory or the reverse: move it away there";
}

/// What to do about it; "" when the operating system's words are all there is to say.
std::string hint_of(Error& error, Side side) {
  switch (error.error_number) {
    case EPERM:
    case EACCES:
      return hint_of_refusal(error, side);
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
      return hint_of_obstacle(error, side);
    case EROFS:
      return std::string("the file system is read-only ") + there(side) +
             " (an error of the disk makes it so, too: journalctl -k): mount it read-write, or name the directory in "
             "ReadWritePaths= of /etc/systemd/system/maildirsyncd.service.d/paths.conf and restart maildirsyncd";
    case EDQUOT:
      return std::string("a quota of user, group or project is full ") + there(side) + ": raise it, or make space";
    case EXDEV:
      return std::string("the two lie on different file systems ") + there(side) +
             ", between which no message can be renamed: let each account lie on one, as a whole";
    case EMLINK:
      return std::string("the file system ") + there(side) +
             " takes no more of them (ext3: 32,000 directories in one): use a younger one (ext4, XFS)";
    case EIO:
    case EUCLEAN:
    case EBADMSG:
      return std::string("the disk or the file system is damaged ") + there(side) +
             ", or its server is away: journalctl -k says more; fsck";
    case EMFILE:
    case ENFILE:
      return std::string("raise LimitNOFILE= of ") + service_of(side) + ".service, and fs.file-max";
    case EFBIG:
      return std::string("it is larger than the file system or LimitFSIZE= of the unit allows ") + there(side);
    default:
      return "";
  }
}

}  // namespace

Error explained(Error error, Side side) {
  const std::string hint = error.error_number == 0 ? "" : hint_of(error, side);
  if (hint.empty()) return error;
  error.detail = error.message() + "; " + hint;
  error.path.clear();
  error.error_number = 0;
  return error;
}

}  // namespace maildirsync::os
