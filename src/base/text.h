// Joining texts and numbers. Abseil built before C++17 (Debian's) has a
// string_view of its own, which its functions take and std::string_view is not.
#ifndef SPECINFER_SRC_BASE_TEXT_H_
#define SPECINFER_SRC_BASE_TEXT_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace specinfer {

inline absl::string_view ToAbsl(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

inline std::string_view ToStd(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

// The parts (texts of either kind, numbers) as one text.
template <typename... Parts>
std::string Cat(const Parts&... parts) {
  std::string text;
  const auto append = [&text](const auto& part) {
    if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
      text.append(std::string_view(part));
    } else {
      absl::StrAppend(&text, part);
    }
  };
  (append(parts), ...);
  return text;
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_BASE_TEXT_H_
