#include "bench/mail_maker.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace maildirsync::bench {

namespace {

constexpr std::size_t k_words = 12'000;
constexpr std::size_t k_frequency_table = 1 << 16;
constexpr std::size_t k_line = 72;         // of text
constexpr std::size_t k_base64_line = 76;  // RFC 2045
constexpr double k_repeated_lines = 0.64;  // of an attachment: logos, tables, quoted documents
constexpr std::size_t k_may_have_html = 3000, k_may_have_attachment = 20'000;

constexpr std::string_view k_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double Random::unit() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - unit()));
  return radius * std::cos(2 * std::numbers::pi * unit());
}

MailMaker::MailMaker(std::uint64_t seed) : random_(seed) {
  // One vocabulary for all corpora: people of one language.
  Random letters(1);
  for (std::size_t i = 0; i < k_words; ++i) {
    // Frequent words are short.
    const std::size_t length = 2 + letters.below(2 + std::min<std::size_t>(8, i / 40));
    std::string word;
    for (std::size_t j = 0; j < length; ++j)
      word += "etaoinshrdlucmfwypvbgk"[letters.below(j % 2 ? 8 : 22)];
    words_.push_back(std::move(word));
  }
  double total = 0;
  for (std::size_t i = 0; i < k_words; ++i)
    total += 1.0 / static_cast<double>(i + 3);
  for (std::size_t i = 0; i < k_words; ++i) {
    const double share = static_cast<double>(k_frequency_table) / static_cast<double>(i + 3) / total;
    by_frequency_.insert(by_frequency_.end(), static_cast<std::size_t>(std::ceil(share)),
                         static_cast<std::uint16_t>(i));
  }
}

std::size_t MailMaker::size(const Sizes& sizes) {
  const double size = sizes.median * std::exp(sizes.sigma * random_.normal());
  return std::clamp(static_cast<std::size_t>(size), sizes.least, sizes.most);
}

std::string_view MailMaker::word() {
  return words_[by_frequency_[random_.below(by_frequency_.size())]];
}

std::string MailMaker::message(std::size_t size) {
  std::string out;
  out.reserve(size + 4096);
  append_headers(out);
  if (size > k_may_have_attachment && random_.unit() < 0.75) {
    out += "--=_part\nContent-Type: text/plain; charset=utf-8\n\n";
    append_words(out, std::min(size, out.size() + 1000 + random_.below(3000)));
    out += "\n--=_part\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n";
    append_base64(out, size);
  } else if (size > k_may_have_html && random_.unit() < 0.7) {
    append_words(out, out.size() + size / 4);
    append_html(out, size);
  } else {
    append_words(out, size);
  }
  out.resize(size, '\n');
  out.back() = '\n';
  return out;
}

void MailMaker::append_headers(std::string& out) {
  const auto from = word(), to = word();
  const std::uint64_t id = random_.next();
  fmt::format_to(
      std::back_inserter(out),
      "Return-Path: <{0}@{1}.example.net>\nDelivered-To: {2}@example.org\n"
      "Message-ID: <{3:016x}@{1}.example.net>\nFrom: {0} <{0}@{1}.example.net>\nTo: {2}@example.org\nSubject: ",
      from, word(), to, id);
  for (std::size_t i = 0, count = 2 + random_.below(6); i < count; ++i)
    fmt::format_to(std::back_inserter(out), "{} ", word());
  fmt::format_to(std::back_inserter(out),
                 "\nReceived: from mail.{0}.example.net (mail.{0}.example.net [192.0.2.{1}])\n"
                 "\tby mx1.example.org with ESMTPS id {2:010X}\n\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384)\n"
                 "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_part\"\n\n",
                 from, random_.below(256), random_.next() >> 24);
}

void MailMaker::append_words(std::string& out, std::size_t end) {
  std::size_t line_end = out.size() + k_line;
  while (out.size() < end) {
    out += word();
    if (out.size() < line_end) {
      out += ' ';
    } else {
      out += '\n';
      line_end = out.size() + k_line;
    }
  }
}

void MailMaker::append_html(std::string& out, std::size_t end) {
  out += "\n--=_part\nContent-Type: text/html; charset=utf-8\n\n<html><body>\n";
  while (out.size() < end) {
    out +=
        "<tr><td style=\"padding:0;margin:0;font-family:Arial,sans-serif;font-size:14px;color:#333333\"><a "
        "href=\"https://";
    out += word();
    fmt::format_to(std::back_inserter(out), ".example.net/t/{:012x}\">", random_.next() >> 16);
    append_words(out, std::min(end, out.size() + 30 + random_.below(120)));
    out += "</a></td></tr>\n";
  }
}

void MailMaker::append_base64(std::string& out, std::size_t end) {
  const std::size_t start = out.size();
  constexpr std::size_t k_whole_line = k_base64_line + 1;
  while (out.size() < end) {
    const std::size_t lines = (out.size() - start) / k_whole_line;
    if (lines > 0 && random_.unit() < k_repeated_lines) {
      const std::size_t first = start + random_.below(lines) * k_whole_line;
      out.append(out, first, k_whole_line);
      continue;
    }
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < k_base64_line; ++i) {
      if (i % 10 == 0) bits = random_.next();
      out += k_base64[bits & 63];
      bits >>= 6;
    }
    out += '\n';
  }
}

std::string delivered_name(std::int64_t nanoseconds, std::uint32_t pid, std::string_view message) {
  constexpr std::int64_t k_second = 1'000'000'000;
  const auto lines = std::count(message.begin(), message.end(), '\n');
  return fmt::format("{}.M{}P{}.mx1.example.org,S={},W={}", nanoseconds / k_second, nanoseconds % k_second / 1000, pid,
                     message.size(), message.size() + static_cast<std::size_t>(lines));
}

}  // namespace maildirsync::bench
