// The physical limit of a first copy: what must be done to every message, with no network, no protocol and no order.
// Per stream, one thread reads, hashes and compresses, the other decompresses, writes aside and links; then one sync
// for all.

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <semaphore>
#include <span>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fts.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec/compression.h"
#include "common/codec/digest.h"
#include "common/os/blocking_queue.h"
#include "common/os/directory.h"

namespace maildirsync::bench {

namespace {

constexpr std::size_t k_batch = 256 * 1024;  // compressed at once
constexpr std::ptrdiff_t k_batches_on_the_way = 16;

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  fmt::print(stderr, "bench-limit: {} {}: {}\n", what, path, std::strerror(errno));
  std::exit(1);
}

struct File {
  std::string path;  // below the root
  std::int64_t mtime = 0;
  std::uint64_t size = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0;
};

struct Batch {
  std::vector<File> files;
  std::size_t size = 0;  // before compression
  std::string block;
};

/// From the sending to the receiving thread of a stream; bounded, as a connection is.
struct Way {
  os::BlockingQueue<Batch> batches;
  std::counting_semaphore<> room{k_batches_on_the_way};
};

/// The accounts' files; makes their directories at the destination on the way.
std::vector<std::vector<File>> list(const std::string& source, const std::string& destination, std::size_t streams) {
  std::vector<std::vector<File>> shares(streams);
  std::string root = source;
  char* paths[] = {root.data(), nullptr};
  FTS* walk = ::fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, nullptr);
  if (!walk) fail("cannot walk", source);
  std::size_t share = 0;
  while (const FTSENT* entry = ::fts_read(walk)) {
    if (entry->fts_level == 0) continue;
    const std::string path(entry->fts_path + source.size() + 1);
    const struct stat& status = *entry->fts_statp;
    if (entry->fts_info == FTS_D) {
      if (entry->fts_level == 2) share = (share + 1) % streams;
      const std::string made = destination + "/" + path;
      if (::mkdir(made.c_str(), status.st_mode & 07777) != 0) fail("cannot make", made);
    } else if (entry->fts_info == FTS_F) {
      shares[share].push_back({path, os::nanoseconds(status.st_mtim), static_cast<std::uint64_t>(status.st_size),
                               status.st_mode & 07777, status.st_uid, status.st_gid});
    }
  }
  ::fts_close(walk);
  return shares;
}

void send(const std::string& source, const std::vector<File>& files, int level, Way& way, std::uint64_t& bytes_out) {
  codec::Compressor compressor(level);
  Batch batch;
  std::string bytes;
  const auto flush = [&] {
    batch.size = bytes.size();
    compressor.compress(bytes, batch.block);
    bytes_out += batch.block.size();
    way.room.acquire();
    way.batches.push(std::exchange(batch, {}));
    bytes.clear();
  };
  for (const File& file : files) {
    const std::string path = source + "/" + file.path;
    const os::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const std::size_t start = bytes.size();
    bytes.resize(start + file.size);
    if (!fd || ::read(fd.get(), bytes.data() + start, file.size) != static_cast<ssize_t>(file.size))
      fail("cannot read", path);
    codec::digest(std::string_view(bytes).substr(start));
    batch.files.push_back(file);
    if (bytes.size() >= k_batch) flush();
  }
  if (!batch.files.empty()) flush();
  way.batches.close();
}

void write_file(const std::string& destination, const File& file, std::string_view bytes) {
  const std::string path = destination + "/" + file.path;
  const std::string directory = path.substr(0, path.rfind('/'));
  const os::Fd fd(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd || !os::write_all(fd.get(), bytes, path)) fail("cannot write", path);
  const struct timespec times[2] = {os::to_timespec(file.mtime), os::to_timespec(file.mtime)};
  if (::fchown(fd.get(), file.uid, file.gid) != 0 || ::fchmod(fd.get(), file.mode) != 0 ||
      ::futimens(fd.get(), times) != 0)
    fail("cannot set the attributes of", path);
  if (::linkat(fd.get(), "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) != 0) fail("cannot link", path);
}

void receive(const std::string& destination, Way& way) {
  codec::Decompressor decompressor;
  std::vector<char> room;
  while (const auto batch = way.batches.pop()) {
    way.room.release();
    if (room.size() < batch->size) room.resize(batch->size);
    const std::span bytes(room.data(), batch->size);
    if (!decompressor.decompress(batch->block, bytes)) fail("cannot decompress for", destination);
    std::string_view rest(bytes.data(), bytes.size());
    for (const File& file : batch->files) {
      write_file(destination, file, rest.substr(0, file.size));
      rest.remove_prefix(file.size);
    }
  }
}

double processor_seconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int main(int argc, char** argv) {
  std::string source, destination;
  int level = codec::k_auto_start_level;
  std::size_t streams = 1;
  CLI::App app("The physical limit of a first copy on this machine");
  app.add_option("source", source)->required()->check(CLI::ExistingDirectory);
  app.add_option("destination", destination, "An empty directory")->required()->check(CLI::ExistingDirectory);
  app.add_option("--level", level, "Of zstd")->capture_default_str();
  app.add_option("--streams", streams, "Each has two threads")->capture_default_str()->check(CLI::Range(1, 16));
  CLI11_PARSE(app, argc, argv);

  const auto start = std::chrono::steady_clock::now();
  const auto shares = list(source, destination, streams);
  std::vector<std::uint64_t> bytes_out(streams);
  std::vector<std::unique_ptr<Way>> ways;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < streams; ++i) {
    Way& way = *ways.emplace_back(std::make_unique<Way>());
    threads.emplace_back([&, i] { send(source, shares[i], level, way, bytes_out[i]); });
    threads.emplace_back([&] { receive(destination, way); });
  }
  for (auto& thread : threads)
    thread.join();
  const os::Fd root(::open(destination.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root || ::syncfs(root.get()) != 0) fail("cannot sync", destination);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::uint64_t bytes = 0;
  for (const auto share : bytes_out)
    bytes += share;
  fmt::print("{{\"wall\": {:.3f}, \"cpu\": {:.3f}, \"bytes\": {}}}\n", wall, processor_seconds(), bytes);
  return 0;
}

}  // namespace

}  // namespace maildirsync::bench

int main(int argc, char** argv) {
  return maildirsync::bench::main(argc, argv);
}
