#pragma once

#include <string_view>
#include <vector>

namespace maildirsync::config {

/// How many letters to insert, delete, replace or swap with their neighbour make one word of the other (optimal string
/// alignment). Case counts.
std::size_t edit_distance(std::string_view left, std::string_view right);

/// Whether one is likely to be the other, mistyped.
bool is_like(std::string_view left, std::string_view right);

/// Sorts the words by their distance from `word`, the nearest first.
void sort_by_distance(std::vector<std::string_view>& words, std::string_view word);

}  // namespace maildirsync::config
