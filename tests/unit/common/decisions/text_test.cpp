#include "common/decisions/text.h"

#include <fstream>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "common/decisions/file.h"
#include "tests/unit/support/tree.h"

namespace maildirsync::decisions {

namespace {

Book example() {
  Book book;
  book.agent = "sha256:00";
  book.run = 7;
  book.configured["vhosts"] = Word::mirror;
  book.session = 12345678901234567890U;
  book.roots["vhosts"] = {{1, Word::mirror, "00000000000000a1", "2026-11-28T09:00:00Z", "agent.toml", 0},
                          {2, Word::drain, "00000000000000a2", "2026-11-28T10:00:00Z", "drain", 1795860000123456789}};
  book.roots["a \"b\"\n"] = {{1, Word::drain, "00000000000000a3", "2026-11-28T09:00:00Z", "", 0}};
  book.pause = {{1, Word::pause, "00000000000000a4", "2026-11-28T09:00:00Z", "pause", 0}};
  book.places["vhosts"] = "/var/mail/v hosts";
  book.releases = {{"vhosts", "example.org/a b/Maildir", "mass-deletion", "2026-11-28T09:00:00Z"},
                   {"vhosts", "", "root-gone", "2026-11-28T09:00:00Z"}};
  return book;
}

std::string path_in(const std::filesystem::path& directory) {
  return (directory / "decisions").string();
}

}  // namespace

TEST(DecisionsText, says_what_it_means) {
  const std::string text = to_text(example());
  EXPECT_NE(text.find("root \"vhosts\" number 2 word drain when 2026-11-28T10:00:00Z by \"drain\" id 00000000000000a2 "
                      "given-until 2026-11-28T10:00:00.123456789Z\n"),
            std::string::npos)
      << text;
  const auto read = from_text(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, example());
  EXPECT_EQ(*from_text(to_text(Book{})), Book{});
}

TEST(DecisionsText, any_names_come_back) {
  const bool good = rc::check("text of any names", [](const std::string& root, const std::string& account) {
    Book book;
    book.roots[root] = {{1, Word::mirror, "0", "2026-11-28T09:00:00Z", account, 0}};
    book.places[account] = root;
    book.releases = {{root, account, "mass-deletion", "2026-11-28T09:00:00Z"}};
    const auto read = from_text(to_text(book));
    RC_ASSERT(read.has_value());
    RC_ASSERT(*read == book);
  });
  EXPECT_TRUE(good);
}

TEST(DecisionsText, each_damaged_byte_and_each_missing_end_is_noticed) {
  const std::string text = to_text(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(from_text(damaged)) << "byte " << i;
    EXPECT_FALSE(from_text(text.substr(0, i))) << "the first " << i;
  }
}

TEST(DecisionsFile, is_put_in_place_and_read_again) {
  const testing::Tree directory;
  const std::string path = path_in(directory.path());
  EXPECT_FALSE(read_book(path)->exists);
  ASSERT_TRUE(write_book(path, example()));
  auto found = read_book(path);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->exists);
  EXPECT_EQ(found->book, example());
}

TEST(DecisionsFile, damage_is_put_aside_and_named) {
  const testing::Tree directory;
  const std::string path = path_in(directory.path());
  std::ofstream(path) << "decisions 1\nroot vhosts";
  const auto found = read_book(path);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->exists);
  EXPECT_NE(found->damage.find("decisions.damaged-"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(read_book(path)->damage.empty());
}

TEST(DecisionsFile, what_cannot_be_read_is_not_lost) {
  const testing::Tree directory;
  const std::string path = path_in(directory.path());
  std::filesystem::create_directory(path);
  EXPECT_FALSE(read_book(path));
}

}  // namespace maildirsync::decisions
