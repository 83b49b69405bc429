// SPDX-License-Identifier: Apache-2.0

#include "paddock/stress/report/text_format.h"

#include <cstddef>

#include "absl/strings/str_format.h"

namespace paddock {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Three significant digits.
std::string Short(double value, const char* unit) {
  const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  return absl::StrFormat("%.*f %s", decimals, value, unit);
}

// The length of the UTF-8 sequence at the start of `text` and its code point; 0 if it is not one.
size_t Decode(std::string_view text, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80           ? 1
                        : (lead >> 5) == 0x06 ? 2
                        : (lead >> 4) == 0x0e ? 3
                        : (lead >> 3) == 0x1e ? 4
                                              : 0;
  if (length == 0 || length > text.size()) return 0;
  code = length == 1 ? lead : lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= kLeast[length] && code <= 0x10ffff ? length : 0;
}

// XML 1.0, production 2.
bool IsXmlChar(uint32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return (code < 0xd800 || code > 0xdfff) && code != 0xfffe && code != 0xffff;
}

}  // namespace

std::string WithThousands(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string HumanDuration(uint64_t ns) {
  const double value = static_cast<double>(ns);
  if (ns < 1000) return absl::StrFormat("%d ns", ns);
  if (value < 999.5e3) return Short(value / 1e3, "us");
  if (value < 999.5e6) return Short(value / 1e6, "ms");
  return Short(value / 1e9, "s");
}

std::string HumanRate(uint64_t count, double seconds) {
  if (!(seconds > 0)) return "-";
  const double rate = static_cast<double>(count) / seconds;
  if (rate < 999.5) return Short(rate, "/s");
  if (rate < 999.5e3) return Short(rate / 1e3, "k/s");
  if (rate < 999.5e6) return Short(rate / 1e6, "M/s");
  return Short(rate / 1e9, "G/s");
}

std::string EscapeMarkup(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    uint32_t code = 0;
    const size_t length = Decode(text, code);
    if (length == 0 || !IsXmlChar(code)) {
      escaped += kReplacement;
      text.remove_prefix(length == 0 ? 1 : length);
      continue;
    }
    switch (code) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return escaped;
}

}  // namespace paddock
