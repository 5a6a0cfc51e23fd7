// Real models of speech.
#ifndef SPECINFER_TESTS_SPEECH_SPEECH_MODELS_H_
#define SPECINFER_TESTS_SPEECH_SPEECH_MODELS_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "gtest/gtest.h"

#include "tests/session/tiny_models.h"

namespace specinfer {

// Null where SPECINFER_MODELS has no such model.
inline std::shared_ptr<const Model> LoadSpeechModel(
    const std::string& name, std::optional<WeightForm> form = std::nullopt,
    int num_threads = 2) {
  const std::string path = std::string(SPECINFER_MODELS) + "/" + name;
  if (!std::filesystem::exists(path)) return nullptr;
  LoadOptions options;
  options.weight_form = form;
  absl::StatusOr<std::shared_ptr<const Model>> model =
      Model::Load(MakeEngine("cpu", num_threads), path, options);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SPEECH_SPEECH_MODELS_H_
