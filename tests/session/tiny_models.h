// Engines and the tiny models of tests/testdata, for tests of whole passes.
#ifndef SPECINFER_TESTS_SESSION_TINY_MODELS_H_
#define SPECINFER_TESTS_SESSION_TINY_MODELS_H_

#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"

#include "src/backend/engine.h"
#include "src/session/model.h"

namespace specinfer {

// Null where this machine lacks the backend's instructions.
inline std::shared_ptr<const Engine> MakeEngine(
    const std::string& backend = "cpu", int num_threads = 1) {
  EngineOptions options;
  options.backend = backend;
  options.num_threads = num_threads;
  absl::StatusOr<std::unique_ptr<Engine>> engine =
      CreateEngine(std::move(options));
  if (!engine.ok()) return nullptr;
  return std::shared_ptr<const Engine>(*std::move(engine));
}

inline std::string TestdataPath(const std::string& name) {
  return std::string(SPECINFER_TESTDATA) + "/" + name;
}

// `name`: "tiny-llama" and so on. Null, with a failure, when it does not load.
inline std::shared_ptr<const Model> LoadTiny(
    const std::string& name, std::shared_ptr<const Engine> engine) {
  absl::StatusOr<std::shared_ptr<const Model>> model =
      Model::Load(std::move(engine), TestdataPath(name + ".gguf"), {});
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

}  // namespace specinfer

#endif  // SPECINFER_TESTS_SESSION_TINY_MODELS_H_
