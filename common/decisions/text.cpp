#include "common/decisions/text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/codec/digest.h"

namespace maildirsync::decisions {

namespace {

constexpr std::string_view k_head =
    "# maildirsync: what was decided, by which command and when; the last line of a root counts. Do not edit: the\n"
    "# commands drain, mirror, pause, resume and release write it.\n"
    "decisions 1\n";
constexpr std::string_view k_digest = "digest ";

/// In double quotes; what would end the line or the word is \xHH.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '"' || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

constexpr std::int64_t k_second = 1'000'000'000;

/// "2026-11-28T10:00:00.123456789Z"
std::string precise_stamp(std::int64_t nanoseconds) {
  std::string stamp = stamp_of(nanoseconds / k_second);
  stamp.pop_back();
  return fmt::format("{}.{:09}Z", stamp, nanoseconds % k_second);
}

void write(std::string& out, std::string_view subject, const Chain& chain) {
  for (const auto& decision : chain) {
    out += fmt::format("{} number {} word {} when {} by {} id {}", subject, decision.number, to_string(decision.word),
                       decision.when, in_quotes(decision.by), decision.id);
    if (decision.given_until != 0) out += " given-until " + precise_stamp(decision.given_until);
    out += '\n';
  }
}

int digits(std::string_view text, std::size_t start, std::size_t count) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + start + count, value);
  return error == std::errc() && end == text.data() + start + count ? value : -1;
}

/// What precise_stamp() gave, in nanoseconds since the epoch.
std::optional<std::int64_t> time_of(std::string_view stamp) {
  if (stamp.size() != 30) return std::nullopt;
  std::tm utc{};
  utc.tm_year = digits(stamp, 0, 4) - 1900;
  utc.tm_mon = digits(stamp, 5, 2) - 1;
  utc.tm_mday = digits(stamp, 8, 2);
  utc.tm_hour = digits(stamp, 11, 2);
  utc.tm_min = digits(stamp, 14, 2);
  utc.tm_sec = digits(stamp, 17, 2);
  const std::int64_t time = std::int64_t{::timegm(&utc)} * k_second + digits(stamp, 20, 9);
  return time > 0 && precise_stamp(time) == stamp ? std::optional(time) : std::nullopt;
}

/// The words of a line, one after the other. Anything unexpected makes it bad, for good.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  bool is_good() const { return good_; }
  bool is_at_end() const { return rest_.empty(); }

  std::string word() {
    const auto end = std::min(rest_.find(' '), rest_.size());
    std::string word(rest_.substr(0, end));
    good_ &= !word.empty();
    skip(end);
    return word;
  }

  void expect(std::string_view wanted) { good_ &= word() == wanted; }

  std::uint64_t number() {
    const std::string text = word();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    good_ &= error == std::errc() && end == text.data() + text.size();
    return value;
  }

  std::string string() {
    std::string out;
    if (rest_.empty() || rest_.front() != '"') return bad();
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != '"'; ++at) {
      if (rest_[at] != '\\') {
        out += rest_[at];
        continue;
      }
      unsigned byte = 0;
      if (at + 3 >= rest_.size() || rest_[at + 1] != 'x') return bad();
      const auto [end, error] = std::from_chars(rest_.data() + at + 2, rest_.data() + at + 4, byte, 16);
      if (error != std::errc() || end != rest_.data() + at + 4) return bad();
      out += static_cast<char>(byte);
      at += 3;
    }
    if (at >= rest_.size()) return bad();
    skip(at + 1);
    return out;
  }

 private:
  std::string bad() {
    good_ = false;
    rest_ = {};
    return "";
  }

  void skip(std::size_t count) {
    rest_.remove_prefix(count);
    if (rest_.empty()) return;
    good_ &= rest_.front() == ' ';
    rest_.remove_prefix(1);
  }

  std::string_view rest_;
  bool good_ = true;
};

bool read_word(const std::string& text, Word& word) {
  for (const Word known : {Word::mirror, Word::drain, Word::run, Word::pause}) {
    if (to_string(known) != text) continue;
    word = known;
    return true;
  }
  return false;
}

bool read_decision(Line& line, Chain& chain) {
  Decision decision;
  line.expect("number");
  decision.number = line.number();
  line.expect("word");
  if (!read_word(line.word(), decision.word)) return false;
  line.expect("when");
  decision.when = line.word();
  line.expect("by");
  decision.by = line.string();
  line.expect("id");
  decision.id = line.word();
  if (!line.is_at_end()) {
    line.expect("given-until");
    const auto until = time_of(line.word());
    if (!until) return false;
    decision.given_until = *until;
  }
  chain.push_back(std::move(decision));
  return true;
}

bool read_line(Line& line, Book& book) {
  const std::string kind = line.word();
  if (kind == "agent") {
    book.agent = line.word();
    return true;
  }
  if (kind == "run") {
    book.run = line.number();
    line.expect("session");
    book.session = line.number();
    return true;
  }
  if (kind == "root") {
    const std::string root = line.string();
    return line.is_good() && read_decision(line, book.roots[root]);
  }
  if (kind == "configured") {
    const std::string root = line.string();
    return read_word(line.word(), book.configured[root]);
  }
  if (kind == "pause") return read_decision(line, book.pause);
  if (kind == "place") {
    const std::string root = line.string();
    book.places[root] = line.string();
    return true;
  }
  if (kind != "release") return false;
  Release release;
  release.root = line.string();
  release.account = line.string();
  release.code = line.word();
  release.when = line.word();
  book.releases.push_back(std::move(release));
  return true;
}

Failure damaged(const std::string& how) {
  return failure(ErrorCode::state, "", "the file of decisions is damaged: " + how);
}

}  // namespace

std::string to_text(const Book& book) {
  std::string text(k_head);
  if (!book.agent.empty()) text += "agent " + book.agent + '\n';
  text += fmt::format("run {} session {}\n", book.run, book.session);
  for (const auto& [root, place] : book.places)
    text += fmt::format("place {} {}\n", in_quotes(root), in_quotes(place));
  for (const auto& [root, word] : book.configured)
    text += fmt::format("configured {} {}\n", in_quotes(root), to_string(word));
  for (const auto& [root, chain] : book.roots)
    write(text, "root " + in_quotes(root), chain);
  write(text, "pause", book.pause);
  for (const auto& release : book.releases) {
    text += fmt::format("release {} {} {} {}\n", in_quotes(release.root), in_quotes(release.account), release.code,
                        release.when);
  }
  return text + std::string(k_digest) + codec::to_hex(codec::digest(text)) + '\n';
}

Result<Book> from_text(std::string_view text) {
  const auto last = text.rfind(k_digest);
  if (last == std::string_view::npos || (last > 0 && text[last - 1] != '\n'))
    return damaged("its last line is missing");
  const std::string digest(k_digest);
  if (text.substr(last) != digest + codec::to_hex(codec::digest(text.substr(0, last))) + '\n') {
    return damaged("it is not what was written, by its digest");
  }
  if (!text.starts_with(k_head)) {
    return failure(ErrorCode::config, "",
                   "the file of decisions was written by a newer maildirsync; install that again");
  }
  Book book;
  std::size_t number = static_cast<std::size_t>(std::count(k_head.begin(), k_head.end(), '\n'));
  for (std::string_view rest = text.substr(k_head.size(), last - k_head.size()); !rest.empty();) {
    const auto end = rest.find('\n');
    ++number;
    Line line(rest.substr(0, end));
    if (!read_line(line, book) || !line.is_good() || !line.is_at_end()) {
      return damaged(fmt::format("line {}", number));
    }
    rest.remove_prefix(end + 1);
  }
  return book;
}

}  // namespace maildirsync::decisions
