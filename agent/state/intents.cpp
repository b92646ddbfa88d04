// For each intent: the area, and k_same_folder when its folder is that of the one before; otherwise the folder; the
// name, the size, the mtime and the inode. Numbers are base 128, the lowest digits first; texts have their length
// before them.

#include "agent/state/intents.h"

namespace maildirsync::agent {

namespace {

constexpr std::uint8_t k_same_folder = 0x80;

void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7)
    out.push_back(static_cast<char>(0x80 | (number & 0x7f)));
  out.push_back(static_cast<char>(number));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  bool failed() const { return failed_; }

  std::uint8_t byte() {
    if (rest_.empty()) {
      failed_ = true;
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  std::uint64_t number() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t digits = byte();
      number |= static_cast<std::uint64_t>(digits & 0x7f) << shift;
      if ((digits & 0x80) == 0) return number;
    }
    failed_ = true;
    return 0;
  }

  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      failed_ = true;
      return {};
    }
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::string encode(const std::vector<sync::Intent>& intents) {
  std::string out;
  const std::string* folder = nullptr;
  for (const auto& intent : intents) {
    const bool same = folder != nullptr && *folder == intent.to.folder;
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(intent.to.area) | (same ? k_same_folder : 0)));
    if (!same) put_text(out, intent.to.folder);
    put_text(out, intent.to.name);
    put_number(out, intent.size);
    put_number(out, static_cast<std::uint64_t>(intent.mtime));
    put_number(out, intent.inode);
    folder = &intent.to.folder;
  }
  return out;
}

std::optional<std::vector<sync::Intent>> decode_intents(std::string_view bytes) {
  std::vector<sync::Intent> intents;
  Reader reader(bytes);
  while (!reader.at_end()) {
    sync::Intent intent;
    const std::uint8_t head = reader.byte();
    const auto area = static_cast<std::uint8_t>(head & ~k_same_folder);
    const bool same = (head & k_same_folder) != 0;
    if (area > static_cast<std::uint8_t>(sync::Area::new_) || (same && intents.empty())) return std::nullopt;
    intent.to.area = static_cast<sync::Area>(area);
    intent.to.folder = same ? intents.back().to.folder : reader.text();
    intent.to.name = reader.text();
    intent.size = reader.number();
    intent.mtime = static_cast<std::int64_t>(reader.number());
    intent.inode = reader.number();
    if (reader.failed()) return std::nullopt;
    intents.push_back(std::move(intent));
  }
  return intents;
}

}  // namespace maildirsync::agent
