#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "common/os/threads.h"

namespace maildirsync::daemon {

/// Runs something that blocks on a thread, and goes on with its result on the loop.
template <class Function>
auto on_thread(os::Threads& threads, Function function) -> asio::awaitable<std::invoke_result_t<Function>> {
  using Value = std::invoke_result_t<Function>;
  auto initiate = [&threads, &function](auto&& handler) {
    using Handler = std::decay_t<decltype(handler)>;
    auto waiting = std::make_shared<Handler>(std::forward<decltype(handler)>(handler));
    auto loop = asio::make_work_guard(asio::get_associated_executor(*waiting));
    threads.post([&function, waiting = std::move(waiting), loop = std::move(loop)]() mutable {
      auto value = std::make_shared<std::optional<Value>>();
      std::exception_ptr failed;
      try {
        *value = function();
      } catch (...) {
        failed = std::current_exception();
      }
      asio::post(loop.get_executor(), [waiting = std::move(waiting), value, failed]() mutable {
        std::move (*waiting)(failed, value->has_value() ? std::move(**value) : Value());
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Value)>(
      std::move(initiate), asio::use_awaitable);
}

}  // namespace maildirsync::daemon
