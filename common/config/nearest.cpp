#include "common/config/nearest.h"

#include <algorithm>
#include <numeric>

namespace maildirsync::config {

std::size_t edit_distance(std::string_view left, std::string_view right) {
  // Three rows of the table of distances between all beginnings of both words.
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[right.size()];
}

bool is_like(std::string_view left, std::string_view right) {
  const std::size_t longer = std::max(left.size(), right.size());
  return edit_distance(left, right) <= std::max<std::size_t>(1, longer / 3);
}

void sort_by_distance(std::vector<std::string_view>& words, std::string_view word) {
  std::stable_sort(words.begin(), words.end(), [word](std::string_view left, std::string_view right) {
    return edit_distance(left, word) < edit_distance(right, word);
  });
}

}  // namespace maildirsync::config
