#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/document.h"

namespace maildirsync::config {

/// Keeps the first thing found wrong with a file. Reading goes on after it with defaults, so that the readers of tables
/// need no way out of their middle; whoever began asks for the error at the end.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  /// `line` 0: the file as a whole.
  void add(unsigned line, const std::string& sentence);
  const std::optional<Error>& first() const { return first_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::optional<Error> first_;
};

/// Typed access to one table. What a caller does not find here stays at its default. Refers to the document and the
/// findings, which must outlive it.
class Section {
 public:
  using Known = std::vector<std::string_view>;

  /// The table at the top of a document. Keys that are not `known` are findings, here and in all tables below it.
  Section(const Value& top, Findings& findings, Known known);

  /// [key]; when it is missing, a section without keys.
  Section table(std::string_view key, Known known) const;
  /// [[key]], in the file's order.
  std::vector<Section> tables(std::string_view key, const Known& known) const;

  const Value* find(std::string_view key) const;

  /// A text in one of the formats of values.h, or any other Result<T>(const std::string&).
  template <class T, class Parse>
  void text(std::string_view key, T& target, Parse parse) const {
    const Value* value = find(key);
    if (value == nullptr || !is_text(*value)) return;
    auto parsed = parse(value->text);
    if (parsed) {
      target = std::move(*parsed);
    } else {
      wrong(key, parsed.error().detail);
    }
  }
  /// The same; its absence is a finding that shows `example` as a value.
  template <class T, class Parse>
  void required_text(std::string_view key, std::string_view example, T& target, Parse parse) const {
    if (find(key) == nullptr) return missing(key, example);
    text(key, target, parse);
  }
  /// A list of texts.
  void texts(std::string_view key, std::vector<std::string>& target) const;
  /// An integer from `least` to `most`.
  void integer(std::string_view key, unsigned& target, unsigned least, unsigned most) const;

  /// true or false.
  void flag(std::string_view key, bool& target) const;

  /// What is wrong with the value of a key that is there.
  void wrong(std::string_view key, const std::string& sentence) const;
  /// A value of another type than the key takes.
  void wrong_type(const Value& value, const std::string& remedy) const;

  /// The line of the table's header; 0 for the top and for a missing table.
  unsigned line() const { return table_ == nullptr ? 0 : table_->line; }
  Findings& findings() const { return *findings_; }

 private:
  Section(const Value* table, Findings& findings, std::string path, std::string header, const Known& known);

  bool is_text(const Value& value) const;
  void missing(std::string_view key, std::string_view example) const;
  void check_known(const Known& known) const;
  std::string path_of(std::string_view key) const;

  const Value* table_;  ///< nullptr: missing
  Findings* findings_;
  std::string path_;    ///< "peer.root"; "" at the top
  std::string header_;  ///< "[[peer.root]]"; "" at the top
};

}  // namespace maildirsync::config
