#include <filesystem>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/scan/folder.h"
#include "agent/scan/structure.h"
#include "bench/micro/folders.h"

namespace maildirsync::bench {

namespace {

constexpr std::size_t k_messages = 20'000;

/// A folder of empty messages; removed with this object.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "maildirsync-bench-XXXXXX") {
    if (!::mkdtemp(path_.data())) std::abort();
    for (const char* area : {"cur", "new", "tmp"})
      std::filesystem::create_directory(path_ + "/" + area);
    const auto account = account_of(k_messages);
    for (const auto& entry : account.folders.front().entries)
      ::close(::open((path_ + "/cur/" + entry.name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    directory_ = *os::Directory::open_root(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  agent::FolderScan scan(const std::vector<sync::Entry>& known, agent::Depth depth) const {
    return *agent::scan_folder(directory_, "", known, depth);
  }
  const os::Directory& directory() const { return directory_; }

 private:
  std::string path_;
  os::Directory directory_;
};

void scan_unknown_folder(benchmark::State& state) {
  const Folder folder;
  for (auto _ : state)
    benchmark::DoNotOptimize(folder.scan({}, agent::Depth::full));
}
BENCHMARK(scan_unknown_folder)->Unit(benchmark::kMillisecond);

void scan_known_folder(benchmark::State& state) {
  const Folder folder;
  const auto known = folder.scan({}, agent::Depth::full).manifest.entries;
  for (auto _ : state)
    benchmark::DoNotOptimize(folder.scan(known, agent::Depth::names));
}
BENCHMARK(scan_known_folder)->Unit(benchmark::kMillisecond);

void scan_one_name(benchmark::State& state) {
  const Folder folder;
  const auto known = folder.scan({}, agent::Depth::full).manifest.entries;
  const std::vector<agent::AreaName> names{{known.front().area, known.front().name}};
  for (auto _ : state)
    benchmark::DoNotOptimize(agent::scan_names(folder.directory(), "", names, {known.front()}));
}
BENCHMARK(scan_one_name)->Unit(benchmark::kMicrosecond);

void look_at_stamps(benchmark::State& state) {
  const Folder folder;
  const auto watch_nothing = [](const os::Directory&, const std::string&, agent::Part) {};
  for (auto _ : state)
    benchmark::DoNotOptimize(agent::scan_structure(folder.directory(), "", watch_nothing));
}
BENCHMARK(look_at_stamps)->Unit(benchmark::kMicrosecond);

}  // namespace

}  // namespace maildirsync::bench
