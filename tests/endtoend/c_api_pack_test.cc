// Packing, verifying and listing tensors through specinfer.h.
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

std::string PackedPath(const std::string& name) {
  return (std::filesystem::path(::testing::TempDir()) / name).string();
}

specinfer_status Pack(const EngineOwner& engine, const std::string& from,
                      const std::string& to) {
  return specinfer_model_pack(engine.get(), from.data(), from.size(), to.data(),
                              to.size(), nullptr);
}

TEST(CApiPack, PackedModelAnswersAlike) {
  const EngineOwner engine = CreateEngine();
  const std::string path = PackedPath("c-api-pack");
  ASSERT_OK(Pack(engine, TinyModel(), path));
  const ModelOwner source = LoadModel(engine);
  const ModelOwner packed = LoadModel(engine, path);
  const SessionOwner first = CreateSession(source);
  const SessionOwner second = CreateSession(packed);
  ASSERT_OK(SetPrompt(first, kPrompt));
  ASSERT_OK(SetPrompt(second, kPrompt));

  EXPECT_EQ(Generate(first).tokens, Generate(second).tokens);

  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(packed.get(), &properties));
  EXPECT_EQ(properties.is_packed, 1);
  std::filesystem::remove(path);
}

TEST(CApiPack, VerifyCountsHashes) {
  const EngineOwner engine = CreateEngine();
  const std::string path = PackedPath("c-api-verify");
  const std::string source = TinyModel();
  ASSERT_OK(Pack(engine, source, path));
  uint64_t of_packed = 0;
  uint64_t of_source = 7;

  EXPECT_OK(specinfer_model_verify(engine.get(), path.data(), path.size(),
                                   nullptr, &of_packed));
  EXPECT_OK(specinfer_model_verify(engine.get(), source.data(), source.size(),
                                   nullptr, &of_source));

  EXPECT_GT(of_packed, 0u);
  EXPECT_EQ(of_source, 0u);
  std::filesystem::remove(path);
}

TEST(CApiPack, ListsTheTensorsOfTheFile) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  specinfer_model_properties properties = SPECINFER_MODEL_PROPERTIES_INIT;
  ASSERT_OK(specinfer_model_get_properties(model.get(), &properties));
  ASSERT_GT(properties.num_tensors, 0u);
  uint64_t num_parameters = 0;
  for (uint32_t i = 0; i < properties.num_tensors; ++i) {
    specinfer_model_tensor tensor = SPECINFER_MODEL_TENSOR_INIT;
    ASSERT_OK(specinfer_model_get_tensor(model.get(), i, &tensor));
    num_parameters +=
        static_cast<uint64_t>(tensor.dimensions[0] * tensor.dimensions[1] *
                              tensor.dimensions[2] * tensor.dimensions[3]);
    EXPECT_GT(tensor.name_length, 0u);
    EXPECT_GT(std::strlen(tensor.type), 0u);
  }

  EXPECT_EQ(num_parameters, properties.num_parameters);
}

TEST(CApiPack, RefusesWrongUse) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine);
  const std::string path = TinyModel();
  specinfer_model_tensor tensor = SPECINFER_MODEL_TENSOR_INIT;
  specinfer_model_config config = SPECINFER_MODEL_CONFIG_INIT;

  EXPECT_FAILS(specinfer_model_get_tensor(model.get(), 1000000, &tensor),
               SPECINFER_OUT_OF_RANGE, "tensors");
  EXPECT_FAILS(specinfer_model_get_tensor(nullptr, 0, &tensor),
               SPECINFER_INVALID_ARGUMENT, "model is NULL");
  EXPECT_FAILS(specinfer_model_get_tensor(model.get(), 0, nullptr),
               SPECINFER_INVALID_ARGUMENT, "out_tensor is NULL");
  EXPECT_FAILS(
      specinfer_model_pack(nullptr, path.data(), path.size(), "x", 1, nullptr),
      SPECINFER_INVALID_ARGUMENT, "engine is NULL");
  EXPECT_FAILS(specinfer_model_pack(engine.get(), path.data(), path.size(),
                                    nullptr, 0, nullptr),
               SPECINFER_INVALID_ARGUMENT, "packed_path is empty");
  EXPECT_FAILS(Pack(engine, path, "/nowhere/at/all"), SPECINFER_NOT_FOUND,
               "folder does not exist");
  EXPECT_FAILS(specinfer_model_verify(nullptr, path.data(), path.size(),
                                      nullptr, nullptr),
               SPECINFER_INVALID_ARGUMENT, "engine is NULL");
  config.flags = 0x80;
  EXPECT_FAILS(specinfer_model_verify(engine.get(), path.data(), path.size(),
                                      &config, nullptr),
               SPECINFER_INVALID_ARGUMENT, "flags has bits 0x80");
}

}  // namespace
}  // namespace specinfer_test
