#include "agent/send/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace maildirsync::agent {

std::string printable(const std::string& text) {
  const nlohmann::json probe(text);
  try {
    (void)probe.dump();
    return text;
  } catch (const nlohmann::json::type_error&) {
    std::string shown;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x80) {
        shown += c;
      } else {
        shown += fmt::format("\\x{:02x}", byte);
      }
    }
    return shown;
  }
}

}  // namespace maildirsync::agent
