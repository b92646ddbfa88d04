// Delivers messages at a rate, as Dovecot does to the files, and watches the destination for them: how long after its
// rename into new/ a message is visible there under its name.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <thread>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/mail_maker.h"
#include "common/os/directory.h"

namespace maildirsync::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string source, destination;
  std::vector<std::string> folders;  // below both
  std::size_t count = 100;
  double rate = 0;       // a second; 0: as fast as it goes
  double patience = 60;  // seconds to wait for the last
  double median = 4096;  // bytes of a message
  std::uint64_t seed = 1;
  bool without_uidlist = false;
  bool without_watching = false;
};

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  fmt::print(stderr, "bench-deliver: {} {}: {}\n", what, path, std::strerror(errno));
  std::exit(1);
}

/// Nanoseconds of the steady clock; 0: not yet.
struct Times {
  std::atomic<std::int64_t> sent{0}, arrived{0};
};

std::int64_t now() {
  return Clock::now().time_since_epoch().count();
}

/// Names carry their number, so that an arrival needs no lookup: "<seconds>.M<micros>P<number>.…".
std::optional<std::size_t> number_of(std::string_view name, std::string_view mark) {
  const auto at = name.find(mark);
  if (name.starts_with('.') || at == std::string_view::npos) return std::nullopt;
  std::size_t number = 0;
  const char* first = name.data() + at + mark.size();
  if (std::from_chars(first, name.data() + name.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

class Arrivals {
 public:
  Arrivals(const Options& options, std::vector<Times>& times, std::string mark)
      : times_(times), mark_(std::move(mark)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    for (const std::string& folder : options.folders) {
      const std::string path = options.destination + "/" + folder + "/new";
      directories_.push_back(path);
      if (::inotify_add_watch(inotify_.get(), path.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        fail("cannot watch", path);
    }
  }

  /// Until all are there, or `end` (nanoseconds; moved by the caller) has passed.
  void run(const std::atomic<std::int64_t>& end) {
    std::vector<char> buffer(1 << 20);
    while (count_ < times_.size() && now() < end.load()) {
      pollfd polled{inotify_.get(), POLLIN, 0};
      ::poll(&polled, 1, 50);
      const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
      const std::int64_t when = now();
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
        if (event->mask & IN_Q_OVERFLOW) has_overflowed_ = true;
        if (event->len) note(event->name, when);
      }
      if (has_overflowed_) look_everywhere();
    }
    look_everywhere();
  }

  std::size_t count() const { return count_; }

 private:
  void note(std::string_view name, std::int64_t when) {
    const auto number = number_of(name, mark_);
    if (!number || *number >= times_.size() || times_[*number].arrived.load() != 0) return;
    times_[*number].arrived = when;
    ++count_;
  }

  void look_everywhere() {
    has_overflowed_ = false;
    if (count_ == times_.size()) return;
    for (const auto& directory : directories_)
      for (const auto& entry : std::filesystem::directory_iterator(directory))
        note(entry.path().filename().native(), now());
  }

  std::vector<Times>& times_;
  std::string mark_;
  os::Fd inotify_;
  std::vector<std::string> directories_;
  std::size_t count_ = 0;
  bool has_overflowed_ = false;
};

class Deliveries {
 public:
  Deliveries(const Options& options, std::vector<Times>& times, std::string mark)
      : options_(options), times_(times), mark_(std::move(mark)), maker_(options.seed) {}

  void run() {
    // Made before, so that the rate is that of the files.
    std::vector<std::string> bodies;
    for (std::size_t i = 0; i < std::min<std::size_t>(options_.count, 4000); ++i)
      bodies.push_back(maker_.message(maker_.size({.median = options_.median, .sigma = 0.8})));
    const auto start = Clock::now();
    for (std::size_t i = 0; i < options_.count; ++i) {
      if (options_.rate > 0)
        std::this_thread::sleep_until(start + std::chrono::duration<double>(static_cast<double>(i) / options_.rate));
      deliver(i, bodies[i % bodies.size()]);
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  }

  double seconds() const { return seconds_; }

 private:
  void deliver(std::size_t number, std::string_view body) {
    const std::string folder = options_.source + "/" + options_.folders[maker_.random().below(options_.folders.size())];
    const std::string name = fmt::format("{}{}.mx1.example.org,S={}", mark_, number, body.size());
    const std::string aside = folder + "/tmp/" + name, final = folder + "/new/" + name;
    struct stat owner {};
    if (::stat(folder.c_str(), &owner) != 0) fail("cannot find", folder);
    write(aside, O_CREAT | O_EXCL, body, owner);
    times_[number].sent = now();
    if (::rename(aside.c_str(), final.c_str()) != 0) fail("cannot deliver", final);
    if (options_.without_uidlist) return;
    const std::string uidlist = folder + "/dovecot-uidlist", lock = uidlist + ".lock";
    write(lock, O_CREAT, "", owner);
    write(uidlist, O_CREAT | O_APPEND, fmt::format("{} :{}\n", 3'000'000'000 + number, name), owner);
    ::unlink(lock.c_str());
  }

  static void write(const std::string& path, int flags, std::string_view content, const struct stat& owner) {
    const os::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600));
    if (!fd || !os::write_all(fd.get(), content, path)) fail("cannot write", path);
    if (::fchown(fd.get(), owner.st_uid, owner.st_gid) != 0) fail("cannot give away", path);
  }

  const Options& options_;
  std::vector<Times>& times_;
  std::string mark_;
  MailMaker maker_;
  double seconds_ = 0;
};

double at_share(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

int main(int argc, char** argv) {
  Options options;
  std::string folders_file;
  CLI::App app("Delivers at a rate, and measures how long the messages take to the destination");
  app.add_option("source", options.source)->required()->check(CLI::ExistingDirectory);
  app.add_option("destination", options.destination)->required()->check(CLI::ExistingDirectory);
  app.add_option("--folders", folders_file, "A file of folders below both, one a line")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--count", options.count)->capture_default_str();
  app.add_option("--rate", options.rate, "Messages a second; 0: as fast as it goes")->capture_default_str();
  app.add_option("--patience", options.patience, "Seconds to wait for the last")->capture_default_str();
  app.add_option("--median", options.median, "Bytes of a message")->capture_default_str();
  app.add_option("--seed", options.seed, "Other names for each run on a tree")->capture_default_str();
  app.add_flag("--no-uidlist", options.without_uidlist, "Leave the uidlists alone");
  app.add_flag("--no-watch", options.without_watching, "Deliver, and do not wait");
  CLI11_PARSE(app, argc, argv);
  std::ifstream lines(folders_file);
  for (std::string line; std::getline(lines, line);)
    options.folders.push_back(line);

  std::vector<Times> times(options.count);
  const std::string mark =
      fmt::format("{}.M{}P", std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()), options.seed);
  Deliveries deliveries(options, times, mark);
  if (options.without_watching) {
    deliveries.run();
    fmt::print("{{\"sent\": {}, \"seconds\": {:.3f}}}\n", options.count, deliveries.seconds());
    return 0;
  }
  Arrivals arrivals(options, times, mark);
  std::atomic<std::int64_t> end{std::numeric_limits<std::int64_t>::max()};
  std::thread watcher([&] { arrivals.run(end); });
  deliveries.run();
  const std::int64_t sent = now();
  end = sent + static_cast<std::int64_t>(options.patience * 1e9);
  watcher.join();

  std::vector<double> milliseconds;
  std::int64_t last = sent;
  for (const Times& time : times) {
    if (time.arrived == 0) continue;
    milliseconds.push_back(static_cast<double>(time.arrived - time.sent) / 1e6);
    last = std::max(last, time.arrived.load());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  fmt::print(
      "{{\"sent\": {}, \"arrived\": {}, \"seconds\": {:.3f}, \"behind\": {:.3f}, \"p50\": {:.2f}, \"p90\": {:.2f}, "
      "\"p99\": {:.2f}, \"max\": {:.2f}}}\n",
      options.count, milliseconds.size(), deliveries.seconds(), static_cast<double>(last - sent) / 1e9,
      at_share(milliseconds, 0.5), at_share(milliseconds, 0.9), at_share(milliseconds, 0.99),
      at_share(milliseconds, 1));
  return 0;
}

}  // namespace

}  // namespace maildirsync::bench

int main(int argc, char** argv) {
  return maildirsync::bench::main(argc, argv);
}
