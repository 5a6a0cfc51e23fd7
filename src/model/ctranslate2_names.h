// Which tensors of whisper_contents.h a variable of a CTranslate2 Whisper model
// holds.
#ifndef SPECINFER_SRC_MODEL_CTRANSLATE2_NAMES_H_
#define SPECINFER_SRC_MODEL_CTRANSLATE2_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

namespace specinfer {

// The tensors that lie one after another in a variable's rows. Empty: no
// Whisper model has such a variable. An empty name: a part that is left out,
// the bias of the keys.
std::vector<std::string> FindCtranslate2Parts(std::string_view name);

}  // namespace specinfer

#endif  // SPECINFER_SRC_MODEL_CTRANSLATE2_NAMES_H_
