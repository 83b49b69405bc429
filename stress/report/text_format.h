// SPDX-License-Identifier: Apache-2.0
//
// Numbers and text as people and markup read them: "12,345", "1.2 ms", "3.4 M/s", "a &lt; b".
//
// Thread safety: pure functions.

#ifndef PADDOCK_STRESS_REPORT_TEXT_FORMAT_H_
#define PADDOCK_STRESS_REPORT_TEXT_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace paddock {

std::string WithThousands(uint64_t n);                  // 1234567 -> "1,234,567"
std::string HumanDuration(uint64_t ns);                 // 1234 -> "1.23 us"
std::string HumanRate(uint64_t count, double seconds);  // "1.23 M/s"; "-" without time

// For element content and quoted attributes of XML 1.0 and HTML. Characters that XML cannot hold at
// all, escaped or not, and bytes that are not UTF-8 become U+FFFD.
std::string EscapeMarkup(std::string_view text);

}  // namespace paddock

#endif  // PADDOCK_STRESS_REPORT_TEXT_FORMAT_H_
