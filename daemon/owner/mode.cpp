#include "daemon/owner/mode.h"

#include <memory>

#include <sys/capability.h>
#include <sys/stat.h>

namespace maildirsync::daemon {

bool may_set_any_group_id_bit() {
  static const bool may = [] {
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> held(::cap_get_proc(), &::cap_free);
    cap_flag_value_t value = CAP_CLEAR;
    return held && ::cap_get_flag(held.get(), CAP_FSETID, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
  }();
  return may;
}

std::uint32_t attainable_file_mode(std::uint32_t mode, bool may_set_any_group_id_bit) {
  const bool is_lost = (mode & S_ISGID) != 0 && (mode & (S_IXGRP | S_ISUID)) != 0;
  return is_lost && !may_set_any_group_id_bit ? mode & ~static_cast<std::uint32_t>(S_ISGID) : mode;
}

}  // namespace maildirsync::daemon
