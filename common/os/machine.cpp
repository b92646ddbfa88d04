#include "common/os/machine.h"

#include "common/os/directory.h"

namespace maildirsync::os {

namespace {

std::string word_in(const std::string& path) {
  constexpr std::size_t k_longest = 256;
  const auto text = read_file(path, k_longest);
  if (!text) return "";
  return text->substr(0, text->find_first_of(" \n"));
}

}  // namespace

std::string machine_id() {
  return word_in("/etc/machine-id");
}

std::string hardware_id() {
  return word_in("/sys/class/dmi/id/product_uuid");
}

}  // namespace maildirsync::os
