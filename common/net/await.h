#pragma once

#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
#else
#include <asio/experimental/as_tuple.hpp>  // before Asio 1.24
#endif
#include <asio/use_awaitable.hpp>

namespace maildirsync::net {

#if __has_include(<asio/as_tuple.hpp>)
using asio::as_tuple;
#else
using asio::experimental::as_tuple;
#endif

/// For `co_await`: the error comes as the first value, and is not thrown.
inline constexpr auto k_await = as_tuple(asio::use_awaitable);

}  // namespace maildirsync::net
