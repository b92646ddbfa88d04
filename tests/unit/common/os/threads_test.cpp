#include "common/os/threads.h"

#include <atomic>
#include <future>
#include <vector>

#include <gtest/gtest.h>

namespace maildirsync::os {
namespace {

TEST(Threads, go_on_while_some_of_them_hang) {
  std::promise<void> answer;
  const auto answered = answer.get_future().share();
  Threads threads(10);
  for (int i = 0; i < 5; ++i)
    threads.post([answered] { answered.wait(); });
  std::promise<int> other;
  threads.post([&] { other.set_value(7); });
  EXPECT_EQ(other.get_future().get(), 7);
  answer.set_value();
}

TEST(Threads, are_no_more_than_the_most) {
  std::atomic<int> running{0}, most{0}, done{0};
  std::promise<void> all;
  Threads threads(2);
  for (int i = 0; i < 50; ++i) {
    threads.post([&] {
      const int now = ++running;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);)
        continue;
      std::this_thread::yield();
      --running;
      if (++done == 50) all.set_value();
    });
  }
  all.get_future().wait();
  EXPECT_LE(most, 2);
}

TEST(Threads, end_with_what_is_under_way_and_drop_what_waits) {
  std::atomic<int> done{0};
  std::promise<void> begun, go;
  Threads threads(1);
  threads.post([&] {
    begun.set_value();
    go.get_future().wait();
    ++done;
  });
  threads.post([&] { ++done; });
  begun.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { threads.stop(); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  go.set_value();
  stopped.get();
  threads.post([&] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST(Strand, does_one_thing_after_the_other_in_their_order) {
  Threads threads(8);
  Strand strand(threads);
  std::vector<int> order;  // no lock: one at a time
  std::promise<void> all;
  for (int i = 0; i < 1000; ++i)
    strand.post([&order, i] { order.push_back(i); });
  strand.post([&] { all.set_value(); });
  all.get_future().wait();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Strand, may_go_with_the_last_thing_that_it_does) {
  Threads threads(2);
  std::promise<void> done;
  auto strand = std::make_shared<Strand>(threads);
  auto* posted = strand.get();
  posted->post([owner = std::move(strand), &done]() mutable {
    owner.reset();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace
}  // namespace maildirsync::os
