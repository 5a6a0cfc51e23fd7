// The promise "same text": one text's tokens and logits are the same bits
// whatever the chunks, threads, batch and instruction set.
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/session/generator.h"
#include "tests/base/bit_hash.h"
#include "tests/session/tiny_models.h"

namespace specinfer {
namespace {

constexpr int kPromptTokens =
    300;  // several pages, and far beyond every tiny window
constexpr int kRounds = 40;

std::vector<Token> Prompt(const Model& model, int salt) {
  std::vector<Token> tokens;
  uint32_t state = 12345u + static_cast<uint32_t>(salt);
  for (int i = 0; i < kPromptTokens + 13 * salt; ++i) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(static_cast<Token>(
        (state >> 8) %
        static_cast<uint32_t>(model.architecture().vocabulary_size)));
  }
  return tokens;
}

// What one text came to: its tokens and the whole logits of its last round.
struct Outcome {
  std::vector<Token> tokens;
  std::vector<float> logits;
};

struct Arrangement {
  std::string backend = "cpu-reference";
  int num_threads = 1;
  int chunk = 64;
  int batch = 1;
  float temperature = 0.0f;
  CacheType cache_type = CacheType::kF16;
};

// Decodes the text with salt 0 alone or beside others.
Outcome Decode(const std::string& name, const Arrangement& arrangement) {
  const std::shared_ptr<const Engine> engine =
      MakeEngine(arrangement.backend, arrangement.num_threads);
  const std::shared_ptr<const Model> model = LoadTiny(name, engine);
  SamplingOptions sampling;
  sampling.temperature = arrangement.temperature;
  sampling.seed = 7;
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<std::unique_ptr<Sampler>> samplers;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<std::vector<Token>> texts;
  std::unique_ptr<Generator> generator =
      *Generator::Create(*model, std::max(arrangement.chunk, arrangement.batch),
                         arrangement.cache_type);
  for (int i = 0; i < arrangement.batch; ++i) {
    // The text under test is the last of the batch.
    texts.push_back(Prompt(*model, arrangement.batch - 1 - i));
    sequences.push_back(*Sequence::Create(
        *engine->backend, model->cache_layout(arrangement.cache_type), 512,
        arrangement.chunk));
    while (true) {
      const absl::StatusOr<int32_t> num_fed = generator->Prefill(
          *sequences.back(), texts.back(), arrangement.chunk, {});
      EXPECT_TRUE(num_fed.ok()) << num_fed.status();
      if (!num_fed.ok() || *num_fed == 0) break;
    }
    samplers.push_back(
        std::make_unique<Sampler>(sampling, model->endless_tokens()));
    lanes.push_back(std::make_unique<Lane>(1));
    lanes.back()->sequence = sequences.back().get();
    lanes.back()->sampler = samplers.back().get();
  }
  std::vector<Lane*> pointers;
  for (const std::unique_ptr<Lane>& lane : lanes)
    pointers.push_back(lane.get());
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < arrangement.batch; ++i) lanes[i]->text = texts[i];
    const absl::Status status = generator->Round(pointers, {});
    EXPECT_TRUE(status.ok()) << status;
    for (int i = 0; i < arrangement.batch; ++i) {
      texts[i].push_back(lanes[i]->walk.tokens[0]);
    }
  }
  Outcome outcome;
  outcome.tokens = texts.back();
  outcome.logits.resize(model->architecture().vocabulary_size);
  const HeadQuery query = {.row = arrangement.batch - 1,
                           .full = absl::MakeSpan(outcome.logits)};
  EXPECT_TRUE(generator->Ask({&query, 1}, {}).ok());
  return outcome;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class SameText : public testing::TestWithParam<const char*> {
 protected:
  void ExpectSame(const Arrangement& arrangement) {
    if (MakeEngine(arrangement.backend) == nullptr) {
      GTEST_SKIP() << "this machine has no " << arrangement.backend;
    }
    Arrangement plain;
    plain.temperature = arrangement.temperature;
    plain.cache_type = arrangement.cache_type;
    const Outcome expected = Decode(GetParam(), plain);
    const Outcome actual = Decode(GetParam(), arrangement);
    EXPECT_EQ(actual.tokens, expected.tokens);
    EXPECT_TRUE(SameBits(actual.logits, expected.logits));
  }
};

TEST_P(SameText, WithChunksOfOne) {
  ExpectSame({.backend = "cpu", .chunk = 1});
}
TEST_P(SameText, WithChunksOfSeven) {
  ExpectSame({.backend = "cpu", .chunk = 7});
}
TEST_P(SameText, WithChunksOf512) {
  ExpectSame({.backend = "cpu", .chunk = 512});
}
TEST_P(SameText, WithTwoThreads) {
  ExpectSame({.backend = "cpu", .num_threads = 2});
}
TEST_P(SameText, InABatchOfThree) {
  ExpectSame({.backend = "cpu", .batch = 3});
}
TEST_P(SameText, OnNeon) { ExpectSame({.backend = "cpu-neon"}); }
TEST_P(SameText, OnAvx2) { ExpectSame({.backend = "cpu-avx2"}); }
TEST_P(SameText, OnAvx512) { ExpectSame({.backend = "cpu-avx512"}); }
TEST_P(SameText, InABatchOfThreeOnAvx2WithTwoThreads) {
  ExpectSame({.backend = "cpu-avx2", .num_threads = 2, .chunk = 7, .batch = 3});
}
TEST_P(SameText, Sampled) {
  ExpectSame({.backend = "cpu",
              .num_threads = 2,
              .chunk = 7,
              .batch = 3,
              .temperature = 0.8f});
}

TEST_P(SameText, OnAmx) { ExpectSame({.backend = "cpu-amx"}); }
TEST_P(SameText, Q8WithChunksOfOne) {
  ExpectSame({.backend = "cpu", .chunk = 1, .cache_type = CacheType::kQ8});
}
TEST_P(SameText, Q8WithChunksOf512AndTwoThreads) {
  ExpectSame({.backend = "cpu",
              .num_threads = 2,
              .chunk = 512,
              .cache_type = CacheType::kQ8});
}
TEST_P(SameText, Q8OnAvx2InABatchOfThree) {
  ExpectSame({.backend = "cpu-avx2",
              .num_threads = 2,
              .chunk = 7,
              .batch = 3,
              .cache_type = CacheType::kQ8});
}
TEST_P(SameText, Q8OnAvx512InABatchOfThree) {
  ExpectSame({.backend = "cpu-avx512",
              .num_threads = 2,
              .chunk = 7,
              .batch = 3,
              .cache_type = CacheType::kQ8});
}
TEST_P(SameText, Q8OnAmxInABatchOfThree) {
  ExpectSame({.backend = "cpu-amx",
              .num_threads = 2,
              .chunk = 7,
              .batch = 3,
              .cache_type = CacheType::kQ8});
}
TEST_P(SameText, Q8OnNeon) {
  ExpectSame({.backend = "cpu-neon", .chunk = 7, .cache_type = CacheType::kQ8});
}

// The tests above compare with the reference backend of the same build. These
// are the tokens and logits of x86-64; every other processor and compiler must
// come to them too.
TEST_P(SameText, AsOnEveryOtherProcessor) {
  static const std::map<std::string, uint64_t> kBits = {
      {"tiny-llama", 0xdbc4abbcffe08474},
      {"tiny-llama3", 0xada5e433471abe4c},
      {"tiny-llama-yarn", 0x11dd54dfdb5035ed},
      {"tiny-qwen2", 0x2a34bc92dff7e0c0},
      {"tiny-qwen3", 0xf2be645320abeb26},
      {"tiny-gemma3", 0x2f7b40bebab51fe1},
      {"tiny-quantized", 0x456b35513cc8de25},
  };
  const Outcome outcome =
      Decode(GetParam(), {.backend = "cpu", .temperature = 0.8f});

  BitHash hash;
  hash.Add(outcome.tokens);
  hash.Add(outcome.logits);
  EXPECT_EQ(hash.value(), kBits.at(GetParam())) << std::hex << hash.value();
}

INSTANTIATE_TEST_SUITE_P(Models, SameText,
                         testing::Values("tiny-llama", "tiny-llama3",
                                         "tiny-llama-yarn", "tiny-qwen2",
                                         "tiny-qwen3", "tiny-gemma3",
                                         "tiny-quantized"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace specinfer
