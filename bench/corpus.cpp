// Makes a tree of Maildirs, the same for the same options: what the bench copies.

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/mail_maker.h"
#include "common/os/directory.h"

namespace maildirsync::bench {

namespace {

struct Options {
  std::string root;
  std::size_t accounts = 100;
  std::size_t messages = 50'000;
  std::size_t folders = 8;  // an account has at most, besides its INBOX
  std::uint64_t seed = 1;
  Sizes sizes;
  bool with_guids = false;  // in the uidlists, as mail that was saved by IMAP has them
  std::size_t more = 0;     // new messages into a tree that is there already
  std::size_t generation = 1;
  uid_t uid = ::geteuid() == 0 ? 5000 : ::geteuid();
  gid_t gid = ::geteuid() == 0 ? 5000 : ::getegid();
};

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  fmt::print(stderr, "bench-corpus: {} {}: {}\n", what, path, std::strerror(errno));
  std::exit(1);
}

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::int64_t k_start = 1'420'000'000 * k_second, k_years = 300'000'000;  // mail of about ten years

class Corpus {
 public:
  explicit Corpus(Options options) : options_(std::move(options)), plan_(options_.seed), maker_(options_.seed + 1) {}

  void make() {
    const auto shares = spread(options_.messages, options_.accounts);
    for (std::size_t i = 0; i < options_.accounts; ++i)
      make_account(account_path(i), shares[i]);
  }

  /// Deliveries into the INBOXes.
  void add() {
    maker_ = MailMaker(options_.seed + 1000 * options_.generation);
    for (std::size_t i = 0; i < options_.more; ++i) {
      const std::string account = account_path(maker_.random().below(options_.accounts));
      std::string line;
      write_message(account, "new", "", std::to_string(2'000'000'000 + i), line);
      append(account + "/dovecot-uidlist", line);
    }
  }

 private:
  std::string account_path(std::size_t number) const {
    return fmt::format("{}/d{:02}.example.org/user{:04}/Maildir", options_.root, number % 7, number);
  }

  /// Uneven shares, as mailboxes have.
  std::vector<std::size_t> spread(std::size_t total, std::size_t parts) {
    std::vector<double> weights(parts);
    for (double& weight : weights)
      weight = std::exp(plan_.normal());
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::size_t> shares(parts);
    std::size_t left = total;
    for (std::size_t i = 1; i < parts; ++i)
      left -= shares[i] = static_cast<std::size_t>(static_cast<double>(total) * weights[i] / sum);
    shares[0] = left;
    return shares;
  }

  void make_account(const std::string& path, std::size_t messages) {
    static constexpr const char* k_names[] = {".Sent",         ".Trash",           ".Drafts",       ".Archive",
                                              ".Archive.2019", ".Lists.some list", ".Entw&APw-rfe", ".Junk",
                                              ".Projects",     ".Projects.Old"};
    const std::size_t folders = std::min(options_.folders ? 1 + plan_.below(options_.folders) : 0, std::size(k_names));
    const auto shares = spread(messages, folders + 1);
    make_directories(path);
    std::string subscriptions = "V\t2\n\n";
    make_folder(path, shares[0]);
    for (std::size_t i = 0; i < folders; ++i) {
      const std::string folder = path + "/" + k_names[i];
      make_directories(folder);
      make_folder(folder, shares[i + 1]);
      write(folder + "/maildirfolder", "", k_start);
      subscriptions += std::string(k_names[i] + 1) + "\n";
    }
    write(path + "/subscriptions", subscriptions, k_start);
    write(path + "/dovecot-uidvalidity", "5f000001", k_start);
    write(path + "/dovecot-keywords", "0 $Forwarded\n1 $MDNSent\n", k_start);
  }

  void make_folder(const std::string& path, std::size_t messages) {
    for (const char* area : {"cur", "new", "tmp"})
      make_directories(path + "/" + area);
    static constexpr const char* k_flags[] = {":2,S", ":2,S", ":2,S", ":2,S", ":2,RS", ":2,", ":2,FS", ":2,Sa"};
    std::string uidlist =
        fmt::format("3 V{} N{} G{:032x}\n", 1'420'000'000 + plan_.below(100'000'000), messages + 1, plan_.next());
    for (std::size_t i = 0; i < messages; ++i) {
      const bool is_new = i + 1 > messages - messages / 50;
      std::string line;
      write_message(path, is_new ? "new" : "cur", is_new ? "" : k_flags[plan_.below(std::size(k_flags))],
                    std::to_string(i + 1), line);
      uidlist += line;
    }
    write(path + "/dovecot-uidlist", uidlist, k_start);
  }

  void write_message(const std::string& folder, const char* area, const char* flags, const std::string& uid,
                     std::string& line) {
    const std::string message = maker_.message(maker_.size(options_.sizes));
    const std::int64_t when = k_start + static_cast<std::int64_t>(maker_.random().next() % (k_years * k_second));
    const std::string base =
        delivered_name(when, static_cast<std::uint32_t>(1000 + maker_.random().below(30'000)), message);
    write(fmt::format("{}/{}/{}{}", folder, area, base, flags), message, when);
    line = options_.with_guids
               ? fmt::format("{} G{:016x}{:016x} :{}\n", uid, maker_.random().next(), maker_.random().next(), base)
               : fmt::format("{} :{}\n", uid, base);
  }

  void make_directories(const std::string& path) {
    for (std::size_t end = options_.root.size() + 1; end != std::string::npos;) {
      end = path.find('/', end + 1);
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0700) == 0) {
        if (::chown(part.c_str(), options_.uid, options_.gid) != 0) fail("cannot give away", part);
      } else if (errno != EEXIST) {
        fail("cannot make", part);
      }
    }
  }

  void write(const std::string& path, std::string_view content, std::int64_t mtime) {
    const os::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd || !os::write_all(fd.get(), content, path)) fail("cannot write", path);
    const struct timespec times[2] = {os::to_timespec(mtime), os::to_timespec(mtime)};
    if (::fchown(fd.get(), options_.uid, options_.gid) != 0 || ::futimens(fd.get(), times) != 0)
      fail("cannot set the owner and times of", path);
  }

  static void append(const std::string& path, std::string_view content) {
    const os::Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!fd || !os::write_all(fd.get(), content, path)) fail("cannot append to", path);
  }

  Options options_;
  Random plan_;
  MailMaker maker_;
};

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Makes a tree of Maildirs, the same for the same options");
  app.add_option("root", options.root, "Where; must exist")->required()->check(CLI::ExistingDirectory);
  app.add_option("--accounts", options.accounts)->capture_default_str();
  app.add_option("--messages", options.messages)->capture_default_str();
  app.add_option("--folders", options.folders, "An account's most, besides its INBOX")->capture_default_str();
  app.add_option("--median", options.sizes.median, "Of the sizes, bytes")->capture_default_str();
  app.add_option("--sigma", options.sizes.sigma)->capture_default_str();
  app.add_option("--least", options.sizes.least, "Bytes")->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_flag("--guids", options.with_guids, "Uidlists name GUIDs, and so are larger");
  app.add_option("--more", options.more, "Instead: deliver so many messages into the tree that these options made");
  app.add_option("--generation", options.generation, "Of --more: other numbers, other messages")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Corpus corpus(options);
  if (options.more) {
    corpus.add();
  } else {
    corpus.make();
  }
  return 0;
}

}  // namespace

}  // namespace maildirsync::bench

int main(int argc, char** argv) {
  return maildirsync::bench::main(argc, argv);
}
