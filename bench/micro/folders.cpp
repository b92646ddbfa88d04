#include "bench/micro/folders.h"

#include <algorithm>

#include <fmt/format.h>

#include "bench/mail_maker.h"

namespace maildirsync::bench {

namespace {

std::string message_name(Random& random, std::size_t number) {
  const std::size_t size = 500 + random.below(50'000);
  return fmt::format("{}.M{}P{}.mx1.example.org,S={},W={}", 1'500'000'000 + number * 100, random.below(1'000'000),
                     random.below(30'000), size, size + size / 60);
}

}  // namespace

sync::AccountManifest account_of(std::size_t messages) {
  Random random(1);
  sync::FolderManifest folder;
  folder.inode = 1;
  folder.self = {.mode = 0700, .uid = 5000, .gid = 5000};
  folder.cur = folder.new_ = folder.tmp = folder.self;
  for (std::size_t i = 0; i < messages; ++i) {
    sync::Entry entry;
    entry.name = message_name(random, i) + ":2,S";
    entry.inode = 1000 + i;
    entry.size = 500 + random.below(50'000);
    entry.mtime = static_cast<std::int64_t>(1'500'000'000'000'000'000 + i);
    entry.attributes = {.mode = 0600, .uid = 5000, .gid = 5000};
    entry.digest = sync::Digest{};
    folder.entries.push_back(std::move(entry));
  }
  std::sort(folder.entries.begin(), folder.entries.end(), sync::before_in_folder);
  return {.exists = true, .structure_whole = true, .folders = {std::move(folder)}};
}

std::string uidlist_of(std::size_t bytes) {
  Random random(2);
  std::string uidlist = "3 V1600000000 N200000 G00000000000000000000000000000000\n";
  for (std::size_t uid = 1; uidlist.size() < bytes; ++uid)
    uidlist += fmt::format("{} :{}\n", uid, message_name(random, uid));
  return uidlist;
}

}  // namespace maildirsync::bench
