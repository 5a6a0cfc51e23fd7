#include "failure.h"

namespace specinfer_cli {

std::string LibraryError(specinfer_status status, const std::string& where) {
  std::string text = specinfer_last_error();
  if (text.empty()) text = specinfer_status_name(status);
  if (status == SPECINFER_INTERNAL) {
    text += " (a mistake of this program: please report it)";
  }
  return where.empty() ? text : where + ": " + text;
}

void Check(specinfer_status status, const std::string& where) {
  if (status != SPECINFER_OK) throw Failure(LibraryError(status, where));
}

}  // namespace specinfer_cli
