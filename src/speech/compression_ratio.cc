#include "src/speech/compression_ratio.h"

#include <zlib.h>

#include <limits>
#include <vector>

namespace specinfer {

float CompressionRatio(std::string_view text) {
  uLongf num_bytes = compressBound(static_cast<uLong>(text.size()));
  std::vector<Bytef> compressed(num_bytes);
  const int status = compress(compressed.data(), &num_bytes,
                              reinterpret_cast<const Bytef*>(text.data()),
                              static_cast<uLong>(text.size()));
  if (status != Z_OK) return std::numeric_limits<float>::infinity();
  return static_cast<float>(static_cast<double>(text.size()) /
                            static_cast<double>(num_bytes));
}

}  // namespace specinfer
