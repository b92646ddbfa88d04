#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace maildirsync::bench {

/// splitmix64: the same numbers on every machine, which the standard library's distributions do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }
  double unit();    ///< 0 ≤ x < 1
  double normal();  ///< mean 0, deviation 1

 private:
  std::uint64_t state_;
};

/// Log-normal sizes of messages, in bytes.
struct Sizes {
  double median = 4096;
  double sigma = 1.66;
  std::size_t least = 500;
  std::size_t most = 10'000'000;
};

/// Makes messages that compress as real mail does: headers alike from one to the next, words by Zipf's law, HTML
/// around them, attachments in base64 of which some lines come twice. zstd at level 3 leaves about a third.
class MailMaker {
 public:
  explicit MailMaker(std::uint64_t seed);

  std::size_t size(const Sizes& sizes);
  /// Exactly `size` bytes, lines ended by a lone newline as Dovecot stores them.
  std::string message(std::size_t size);
  Random& random() { return random_; }

 private:
  void append_headers(std::string& out);
  void append_words(std::string& out, std::size_t end);
  void append_html(std::string& out, std::size_t end);
  void append_base64(std::string& out, std::size_t end);
  std::string_view word();

  Random random_;
  std::vector<std::string> words_;
  std::vector<std::uint16_t> by_frequency_;  ///< a word's index, as often as it is frequent
};

/// A delivered message's base name, as Dovecot makes them: <seconds>.M<micros>P<pid>.<host>,S=<size>,W=<size with
/// CRLF>.
std::string delivered_name(std::int64_t nanoseconds, std::uint32_t pid, std::string_view message);

}  // namespace maildirsync::bench
