#include "src/model/whisper_alignment.h"

#include "src/model/json_document.h"

namespace specinfer {
namespace {

// _ALIGNMENT_HEADS of OpenAI's whisper/__init__.py.
constexpr uint32_t kTinyEn[] = {1, 0, 2, 0, 2, 5, 3, 0, 3, 1, 3, 2, 3, 3, 3, 4};
constexpr uint32_t kTiny[] = {2, 2, 3, 0, 3, 2, 3, 3, 3, 4, 3, 5};
constexpr uint32_t kBaseEn[] = {3, 3, 4, 7, 5, 1, 5, 5, 5, 7};
constexpr uint32_t kBase[] = {3, 1, 4, 2, 4, 3, 4, 7, 5, 1, 5, 2, 5, 4, 5, 6};
constexpr uint32_t kSmallEn[] = {6,  6, 7,  0, 7,  3, 7,  8,  8,  2,  8,  5,  8,
                                 7,  9, 0,  9, 4,  9, 8,  9,  10, 10, 0,  10, 1,
                                 10, 2, 10, 3, 10, 6, 10, 11, 11, 2,  11, 4};
constexpr uint32_t kSmall[] = {5, 3, 5, 9, 8, 0, 8, 4, 8,  7,
                               8, 8, 9, 0, 9, 7, 9, 9, 10, 5};
constexpr uint32_t kMediumEn[] = {
    11, 4,  14, 1, 14, 12, 14, 14, 15, 4, 16, 0, 16, 4, 16, 9,  17, 12,
    17, 14, 18, 7, 18, 10, 18, 15, 20, 0, 20, 3, 20, 9, 20, 14, 21, 12};
constexpr uint32_t kMedium[] = {13, 15, 15, 4, 15, 15, 16, 1, 20, 0, 23, 4};
constexpr uint32_t kLargeV3[] = {7,  0,  10, 17, 12, 18, 13, 12, 16, 1,
                                 17, 14, 19, 11, 21, 4,  24, 1,  25, 6};
constexpr uint32_t kLargeV3Turbo[] = {2, 4, 2, 11, 3, 3, 3, 6, 3, 11, 3, 14};

struct Published {
  uint64_t vocabulary_size;
  uint64_t hidden_size;
  uint64_t audio_layers;
  uint64_t text_layers;
  absl::Span<const uint32_t> heads;
};

}  // namespace

absl::Span<const uint32_t> FindPublishedAlignmentHeads(
    const WhisperSizes& sizes) {
  const Published models[] = {
      {51864, 384, 4, 4, kTinyEn},      {51865, 384, 4, 4, kTiny},
      {51864, 512, 6, 6, kBaseEn},      {51865, 512, 6, 6, kBase},
      {51864, 768, 12, 12, kSmallEn},   {51865, 768, 12, 12, kSmall},
      {51864, 1024, 24, 24, kMediumEn}, {51865, 1024, 24, 24, kMedium},
      {51866, 1280, 32, 32, kLargeV3},  {51866, 1280, 32, 4, kLargeV3Turbo},
  };
  for (const Published& model : models) {
    if (model.vocabulary_size == sizes.vocabulary_size &&
        model.hidden_size == sizes.hidden_size &&
        model.audio_layers == sizes.audio_layers &&
        model.text_layers == sizes.text_layers)
      return model.heads;
  }
  return {};
}

absl::Status ReadAlignmentHeads(std::string_view path,
                                const nlohmann::json& document,
                                std::vector<uint32_t>& heads) {
  const nlohmann::json* pairs = FindMember(document, "alignment_heads");
  if (pairs == nullptr) return absl::OkStatus();
  const auto is_number = [](const nlohmann::json& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() <= UINT32_MAX;
  };
  bool is_whole = pairs->is_array();
  for (const nlohmann::json& pair : *pairs) {
    is_whole = is_whole && pair.is_array() && pair.size() == 2 &&
               is_number(pair[0]) && is_number(pair[1]);
    if (!is_whole) break;
    heads.push_back(pair[0].get<uint32_t>());
    heads.push_back(pair[1].get<uint32_t>());
  }
  if (is_whole) return absl::OkStatus();
  return absl::InvalidArgumentError(ModelMessage(
      path, "\"alignment_heads\" is not an array of pairs of numbers"));
}

}  // namespace specinfer
