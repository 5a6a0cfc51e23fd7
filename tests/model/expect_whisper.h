// That a model file answers as the tiny Whisper model which was written to it.
#ifndef SPECINFER_TESTS_MODEL_EXPECT_WHISPER_H_
#define SPECINFER_TESTS_MODEL_EXPECT_WHISPER_H_

#include <cstring>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "src/base/half.h"
#include "src/model/model_file.h"
#include "tests/model/whisper_files.h"

namespace specinfer {

// The value at `index`, whatever the alignment, of an F32 or F16 tensor.
inline float WhisperValue(const TensorRecord& tensor, size_t index) {
  if (tensor.dtype == DType::kF16) {
    uint16_t half = 0;
    std::memcpy(&half, tensor.bytes.data() + index * sizeof(half),
                sizeof(half));
    return HalfToFloat(half);
  }
  float value = 0.0f;
  std::memcpy(&value, tensor.bytes.data() + index * sizeof(value),
              sizeof(value));
  return value;
}

inline void ExpectWhisper(const ModelFile& file, const TinyWhisper& model) {
  EXPECT_EQ(*file.GetString("general.architecture"), "whisper");
  const std::pair<const char*, uint64_t> keys[] = {
      {"vocab_size", model.vocabulary},
      {"context_length", model.text_context},
      {"embedding_length", model.hidden},
      {"block_count", model.text_layers},
      {"attention.head_count", model.text_heads},
      {"feed_forward_length", model.feed_forward},
      {"encoder.block_count", model.audio_layers},
      {"encoder.attention.head_count", model.audio_heads},
      {"encoder.context_length", model.audio_context},
      {"encoder.mel_bins", model.mel_bins}};
  for (const auto& [key, value] : keys) {
    const auto found = file.GetUint(std::string("whisper.") + key);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, value) << key;
  }
  EXPECT_EQ(file.tensors().size(), model.tensors.size());
  for (const auto& [name, wanted] : model.tensors) {
    const TensorRecord* tensor = file.FindTensor(name);
    ASSERT_NE(tensor, nullptr) << name;
    ASSERT_EQ(static_cast<size_t>(tensor->rank), wanted.shape.size()) << name;
    for (size_t axis = 0; axis < wanted.shape.size(); ++axis) {
      EXPECT_EQ(tensor->dims[wanted.shape.size() - 1 - axis],
                wanted.shape[axis])
          << name;
    }
    ASSERT_EQ(tensor->dtype, DType::kF32) << name;
    ASSERT_EQ(tensor->bytes.size(), wanted.values.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(tensor->bytes.data(), wanted.values.data(),
                          tensor->bytes.size()),
              0)
        << name;
  }
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_MODEL_EXPECT_WHISPER_H_
