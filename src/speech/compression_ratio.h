// How repetitive a text is, as Whisper's thresholds mean it.
#ifndef SPECINFER_SRC_SPEECH_COMPRESSION_RATIO_H_
#define SPECINFER_SRC_SPEECH_COMPRESSION_RATIO_H_

#include <string_view>

namespace specinfer {

// Bytes of `text` divided by its bytes as a zlib stream at the default level
// (openai/whisper, utils.py). 0 for no text; infinite where memory runs out.
float CompressionRatio(std::string_view text);

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_COMPRESSION_RATIO_H_
