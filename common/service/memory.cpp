#include "common/service/memory.h"

#include <malloc.h>

namespace maildirsync::service {

namespace {

// By default each thread has a heap, which keeps its own peak, up to eight for each core.
constexpr int k_heaps = 2;
// A fixed bound: by default it follows what was freed, up to 32 MiB, and then large blocks lie among small ones.
constexpr int k_from_kernel = 1024 * 1024;
constexpr int k_kept_at_top = 4 * 1024 * 1024;
constexpr std::size_t k_worth_it = 4 * 1024 * 1024;

}  // namespace

void bound_heap() {
  ::mallopt(M_ARENA_MAX, k_heaps);
  ::mallopt(M_MMAP_THRESHOLD, k_from_kernel);
  ::mallopt(M_TRIM_THRESHOLD, k_kept_at_top);
}

void FreeMemory::give_back() {
  const std::size_t free = ::mallinfo2().fordblks;
  if (free < left_) left_ = free;
  if (free - left_ < k_worth_it) return;
  ::malloc_trim(0);
  left_ = ::mallinfo2().fordblks;
}

}  // namespace maildirsync::service
