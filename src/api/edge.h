// The edge of the C API: nothing is thrown across it, and each failure leaves a
// status and this thread's text.
#ifndef SPECINFER_SRC_API_EDGE_H_
#define SPECINFER_SRC_API_EDGE_H_

#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "include/specinfer.h"

namespace specinfer {

// Keeps the failure's text for specinfer_last_error() on this thread and
// returns its number. Never allocates.
specinfer_status RecordError(absl::StatusCode code,
                             absl::string_view message) noexcept;

inline specinfer_status RecordStatus(const absl::Status& status) noexcept {
  return status.ok() ? SPECINFER_OK
                     : RecordError(status.code(), status.message());
}

// Calls `record(code, text)` for what `body` throws; else `body`'s own result
// decides. Only the standard library and third parties throw here, mostly for
// want of memory.
template <typename Body, typename Record>
auto Caught(Body&& body, Record&& record) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return record(absl::StatusCode::kResourceExhausted,
                  absl::string_view("out of memory"));
  } catch (const std::length_error&) {
    return record(
        absl::StatusCode::kResourceExhausted,
        absl::string_view("a text or list is longer than memory allows"));
  } catch (const std::system_error& error) {
    return record(absl::StatusCode::kResourceExhausted,
                  absl::string_view(error.what()));
  } catch (const std::exception& error) {
    return record(absl::StatusCode::kInternal, absl::string_view(error.what()));
  } catch (...) {
    return record(absl::StatusCode::kInternal,
                  absl::string_view(
                      "an unknown exception was thrown inside the library"));
  }
}

// Runs `body`, which returns an absl::Status, as one call of the C API.
template <typename Body>
specinfer_status Edge(Body&& body) noexcept {
  return Caught(
      [&]() -> specinfer_status {
        return RecordStatus(std::forward<Body>(body)());
      },
      RecordError);
}

}  // namespace specinfer

#endif  // SPECINFER_SRC_API_EDGE_H_
