#include "common/os/blocking_queue.h"

#include <numeric>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace maildirsync::os {
namespace {

TEST(BlockingQueue, keeps_the_order) {
  BlockingQueue<int> queue;
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(queue.push(i));
  EXPECT_EQ(queue.pop(), 0);
  EXPECT_EQ(queue.pop_all(), (std::deque<int>{1, 2}));
}

TEST(BlockingQueue, gives_what_it_holds_before_it_ends) {
  BlockingQueue<int> queue;
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_TRUE(queue.pop_all().empty());
}

TEST(BlockingQueue, wakes_those_who_wait_when_it_closes) {
  BlockingQueue<int> queue;
  std::thread one([&] { EXPECT_EQ(queue.pop(), std::nullopt); });
  std::thread other([&] { EXPECT_TRUE(queue.pop_all().empty()); });
  queue.close();
  one.join();
  other.join();
}

TEST(BlockingQueue, gives_each_value_to_one_thread) {
  BlockingQueue<int> queue;
  std::vector<long> sums(3);
  std::vector<std::thread> takers;
  for (auto& sum : sums) {
    takers.emplace_back([&] {
      while (const auto value = queue.pop())
        sum += *value;
    });
  }
  std::thread giver([&] {
    for (int i = 1; i <= 1000; ++i)
      queue.push(i);
  });
  for (int i = 1; i <= 1000; ++i)
    queue.push(i);
  giver.join();
  queue.close();
  for (auto& taker : takers)
    taker.join();
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0L), 1'001'000);
}

}  // namespace
}  // namespace maildirsync::os
