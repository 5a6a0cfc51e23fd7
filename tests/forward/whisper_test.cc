// An encoder and the decoder bound to what it made, against the network's
// definition in double precision.
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "src/base/clock.h"
#include "src/forward/architectures.h"
#include "src/forward/decoder.h"
#include "src/forward/encoder.h"
#include "src/model/weights.h"
#include "tests/backend/machine.h"
#include "tests/model/memory_files.h"
#include "tests/model/whisper_files.h"

namespace specinfer {
namespace {

using testing::RandomFloats;
using Rows = std::vector<std::vector<double>>;

// Weights that keep every value in the range of trained networks.
TinyWhisper MakeModel() {
  TinyWhisper model({.text_context = 16});
  model.audio_heads = model.text_heads;
  uint64_t seed = 1;
  for (auto& [name, tensor] : model.tensors)
    tensor.values = RandomFloats(tensor.values.size(), ++seed, 0.8f);
  return model;
}

// The definition (openai/whisper, model.py), by the tensors' names.
class WhisperByDefinition {
 public:
  explicit WhisperByDefinition(const TinyWhisper& model) : model_(model) {}

  Rows Encode(const Rows& mel) const {
    Rows x = Gelu(Convolve("enc.conv1", mel, 1));
    x = Gelu(Convolve("enc.conv2", x, 2));
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t i = 0; i < x[t].size(); ++i)
        x[t][i] += Value("enc.position_embd.weight", t * x[t].size() + i);
    for (uint32_t layer = 0; layer < model_.audio_layers; ++layer) {
      const std::string prefix = "enc.blk." + std::to_string(layer) + ".";
      const Rows normed = Norm(prefix + "attn_norm", x);
      Add(Attend(prefix + "attn_", normed, normed, false), &x);
      Add(FeedForward(prefix, x), &x);
    }
    return Norm("enc.output_norm", x);
  }

  // `cross`: gets the weights of each layer's cross-attention, head by head.
  Rows Decode(const std::vector<Token>& tokens, const Rows& encoded,
              std::vector<std::vector<Rows>>* cross = nullptr) const {
    Rows x(tokens.size(), std::vector<double>(model_.hidden));
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t i = 0; i < x[t].size(); ++i)
        x[t][i] = Value("token_embd.weight",
                        static_cast<size_t>(tokens[t]) * x[t].size() + i) +
                  Value("position_embd.weight", t * x[t].size() + i);
    for (uint32_t layer = 0; layer < model_.text_layers; ++layer) {
      const std::string prefix = "blk." + std::to_string(layer) + ".";
      const Rows normed = Norm(prefix + "attn_norm", x);
      Add(Attend(prefix + "attn_", normed, normed, true), &x);
      if (cross != nullptr) cross->emplace_back();
      Add(Attend(prefix + "cross_attn_", Norm(prefix + "cross_attn_norm", x),
                 encoded, false, cross == nullptr ? nullptr : &cross->back()),
          &x);
      Add(FeedForward(prefix, x), &x);
    }
    Rows logits;
    for (const std::vector<double>& row : Norm("output_norm", x)) {
      logits.emplace_back(model_.vocabulary);
      for (size_t o = 0; o < model_.vocabulary; ++o)
        for (size_t i = 0; i < row.size(); ++i)
          logits.back()[o] +=
              row[i] * Value("token_embd.weight", o * row.size() + i);
    }
    return logits;
  }

 private:
  double Value(const std::string& name, size_t i) const {
    return model_.tensors.at(name).values[i];
  }
  static void Add(const Rows& addend, Rows* sum) {
    for (size_t t = 0; t < sum->size(); ++t)
      for (size_t i = 0; i < (*sum)[t].size(); ++i)
        (*sum)[t][i] += addend[t][i];
  }
  static Rows Gelu(Rows x) {
    for (std::vector<double>& row : x)
      for (double& value : row)
        value = 0.5 * value * std::erfc(-value / std::sqrt(2.0));
    return x;
  }
  Rows Linear(const std::string& name, const Rows& in) const {
    const TinyTensor& weight = model_.tensors.at(name + ".weight");
    Rows out;
    for (const std::vector<double>& row : in) {
      out.emplace_back(weight.shape[0]);
      for (size_t o = 0; o < out.back().size(); ++o) {
        out.back()[o] = model_.tensors.count(name + ".bias") > 0
                            ? Value(name + ".bias", o)
                            : 0.0;
        for (size_t i = 0; i < row.size(); ++i)
          out.back()[o] +=
              row[i] * static_cast<double>(weight.values[o * row.size() + i]);
      }
    }
    return out;
  }
  Rows Convolve(const std::string& name, const Rows& in, size_t stride) const {
    Rows out;
    for (size_t t = 0; t < in.size(); t += stride) {
      out.emplace_back(model_.hidden);
      for (size_t o = 0; o < model_.hidden; ++o) {
        double sum = Value(name + ".bias", o);
        for (size_t c = 0; c < in[0].size(); ++c)
          for (size_t tap = 0; tap < 3; ++tap)
            if (t + tap >= 1 && t + tap - 1 < in.size())
              sum += in[t + tap - 1][c] *
                     Value(name + ".weight", (o * in[0].size() + c) * 3 + tap);
        out.back()[o] = sum;
      }
    }
    return out;
  }
  Rows Norm(const std::string& name, const Rows& in) const {
    Rows out = in;
    for (std::vector<double>& row : out) {
      const double width = static_cast<double>(row.size());
      double mean = 0.0, squares = 0.0;
      for (const double x : row) mean += x / width;
      for (const double x : row) squares += (x - mean) * (x - mean) / width;
      for (size_t i = 0; i < row.size(); ++i)
        row[i] = (row[i] - mean) / std::sqrt(squares + 1e-5) *
                     Value(name + ".weight", i) +
                 Value(name + ".bias", i);
    }
    return out;
  }
  Rows Attend(const std::string& prefix, const Rows& in, const Rows& seen,
              bool is_causal, std::vector<Rows>* weights = nullptr) const {
    const Rows query = Linear(prefix + "q", in);
    const Rows key = Linear(prefix + "k", seen);
    const Rows value = Linear(prefix + "v", seen);
    const size_t head_dim = model_.hidden / model_.text_heads;
    Rows out(in.size(), std::vector<double>(model_.hidden));
    if (weights != nullptr)
      weights->assign(model_.text_heads,
                      Rows(in.size(), std::vector<double>(seen.size())));
    for (size_t t = 0; t < in.size(); ++t) {
      for (size_t first = 0; first < model_.hidden; first += head_dim) {
        const size_t end = is_causal ? t + 1 : seen.size();
        double sum = 0.0;
        for (size_t s = 0; s < end; ++s) {
          double score = 0.0;
          for (size_t d = first; d < first + head_dim; ++d)
            score += query[t][d] * key[s][d];
          const double weight =
              std::exp(score / std::sqrt(static_cast<double>(head_dim)));
          sum += weight;
          if (weights != nullptr) (*weights)[first / head_dim][t][s] = weight;
          for (size_t d = first; d < first + head_dim; ++d)
            out[t][d] += weight * value[s][d];
        }
        for (size_t d = first; d < first + head_dim; ++d) out[t][d] /= sum;
        if (weights == nullptr) continue;
        for (double& weight : (*weights)[first / head_dim][t]) weight /= sum;
      }
    }
    return Linear(prefix + "output", out);
  }
  Rows FeedForward(const std::string& prefix, const Rows& in) const {
    return Linear(
        prefix + "ffn_down",
        Gelu(Linear(prefix + "ffn_up", Norm(prefix + "ffn_norm", in))));
  }

  const TinyWhisper& model_;
};

const std::vector<Token> kTokens = {3, 1, 4, 10};

std::vector<float> MakeMel(int64_t num_frames, uint64_t seed) {
  return RandomFloats(static_cast<size_t>(num_frames) * 9, seed, 1.5f);
}

Rows ToRows(const std::vector<float>& values, size_t width) {
  Rows rows;
  for (size_t i = 0; i < values.size(); i += width)
    rows.emplace_back(values.begin() + static_cast<int64_t>(i),
                      values.begin() + static_cast<int64_t>(i + width));
  return rows;
}

class Whisper : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    machine_ = std::make_unique<testing::Machine>(GetParam(), 2);
    if (!machine_->is_available())
      GTEST_SKIP() << "this machine lacks " << GetParam();
    files_.Put("d/model.bin", WriteCtranslate2(model_).bytes());
    files_.Put("d/vocabulary.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
    auto file = ModelFile::Open("d", files_.reader(), memory_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    const auto architecture = DescribeArchitecture(*file_);
    ASSERT_TRUE(architecture.ok()) << architecture.status();
    architecture_ = *architecture;
  }

  // The logits of kTokens after each window's sound; windows share a pass.
  std::vector<std::vector<float>> Run(
      const std::vector<std::vector<float>>& mels, WeightForm form,
      CacheType cache_type) {
    Backend& backend = machine_->backend();
    auto weights = LoadWeights(*file_, architecture_, backend, form, {});
    EXPECT_TRUE(weights.ok()) << weights.status();
    const CacheLayout layout = MakeCacheLayout(architecture_, cache_type);
    auto encoder =
        Encoder::Create(backend, architecture_, *weights,
                        static_cast<int32_t>(mels.size()), cache_type);
    EXPECT_TRUE(encoder.ok()) << encoder.status();
    std::vector<std::shared_ptr<Sequence>> memories;
    std::vector<EncoderWindow> windows;
    for (const std::vector<float>& mel : mels) {
      memories.push_back(*Sequence::Create(backend, layout, 7, 7));
      windows.push_back({mel, memories.back().get()});
    }
    absl::Status status;
    do {
      status = (*encoder)->Encode(
          windows,
          {.deadline_us = stops_always_ ? NowMicros() - 1 : kNoDeadline});
      num_stops_ += absl::IsDeadlineExceeded(status) ? 1 : 0;
    } while (absl::IsDeadlineExceeded(status));
    EXPECT_TRUE(status.ok()) << status;
    auto decoder =
        Decoder::Create(backend, architecture_, layout, *weights, 5, 5);
    EXPECT_TRUE(decoder.ok()) << decoder.status();
    std::vector<std::vector<float>> logits;
    for (const std::shared_ptr<Sequence>& memory : memories) {
      std::unique_ptr<Sequence> text = *Sequence::Create(backend, layout, 5, 5);
      text->Bind(memory);
      EXPECT_TRUE(text->Prepare(4).ok());
      logits.emplace_back(4 * 11);
      const std::vector<int32_t> rows = {0, 1, 2, 3};
      std::vector<HeadQuery> queries;
      for (const int32_t row : rows)
        queries.push_back(
            {.row = row,
             .full = absl::MakeSpan(logits.back())
                         .subspan(static_cast<size_t>(row) * 11, 11)});
      const SequenceNodes chain = {.sequence = text.get(), .tokens = kTokens};
      ForwardAnswer answer = {.cross = cross_};
      if (asks_head_) {
        answer.rows = rows;
        answer.queries = queries;
      }
      EXPECT_TRUE((*decoder)->Forward({&chain, 1}, answer, {}).ok());
    }
    return logits;
  }

  bool stops_always_ = false;
  int num_stops_ = 0;
  CrossWeights cross_;  // what passes are asked for
  bool asks_head_ = true;
  const TinyWhisper model_ = MakeModel();
  MemoryFiles files_;
  Memory memory_{0};
  std::unique_ptr<testing::Machine> machine_;
  std::unique_ptr<ModelFile> file_;
  Architecture architecture_;
};

TEST_P(Whisper, IsWhatItsDefinitionSays) {
  const WhisperByDefinition definition(model_);
  for (const int64_t num_frames : {14, 6}) {
    const std::vector<float> mel = MakeMel(num_frames, 77);
    const Rows expected =
        definition.Decode(kTokens, definition.Encode(ToRows(mel, 9)));

    const std::vector<float> logits =
        Run({mel}, WeightForm::kAsFiled, CacheType::kF16)[0];

    for (size_t i = 0; i < logits.size(); ++i)
      EXPECT_NEAR(logits[i], expected[i / 11][i % 11], 5e-3) << i;
  }
}

// Of chosen heads, in any order, each in a place of its own; whether something
// else is asked for or not.
TEST_P(Whisper, TellsWhatHeadsLookAt) {
  constexpr int kPositions = 5;  // of 7
  const std::vector<CrossHead> heads = {{1, 0}, {0, 1}, {1, 1}};
  const std::vector<float> mel = MakeMel(14, 77);
  const WhisperByDefinition definition(model_);
  std::vector<std::vector<Rows>> expected;
  definition.Decode(kTokens, definition.Encode(ToRows(mel, 9)), &expected);
  for (const bool asks_head : {true, false}) {
    asks_head_ = asks_head;
    std::vector<float> weights(heads.size() * 30, -1.0f);
    cross_ = {.heads = heads,
              .num_positions = kPositions,
              .weights = absl::MakeSpan(weights),
              .head_stride = 30};

    Run({mel}, WeightForm::kAsFiled, CacheType::kF16);

    for (size_t i = 0; i < heads.size(); ++i) {
      const Rows& rows = expected[static_cast<size_t>(heads[i].layer)]
                                 [static_cast<size_t>(heads[i].head)];
      for (size_t p = 0; p < 30; ++p) {
        const double weight =
            p < 4 * kPositions ? rows[p / kPositions][p % kPositions] : -1.0;
        EXPECT_NEAR(weights[i * 30 + p], weight, 1e-3) << i << " " << p;
      }
    }
  }
}

TEST_P(Whisper, HearsWindowsOfAPassAsOneByOne) {
  const std::vector<float> first = MakeMel(14, 1), second = MakeMel(14, 2);
  for (const WeightForm form : {WeightForm::kAsFiled, WeightForm::kInt8}) {
    for (const CacheType type : {CacheType::kF16, CacheType::kQ8}) {
      const auto together = Run({first, second}, form, type);
      EXPECT_EQ(together[0], Run({first}, form, type)[0]);
      EXPECT_EQ(together[1], Run({second}, form, type)[0]);
      EXPECT_NE(together[0], together[1]);
    }
  }
}

TEST_P(Whisper, GoesOnWhereADeadlineStoppedIt) {
  const std::vector<float> mel = MakeMel(14, 4);
  const auto whole = Run({mel}, WeightForm::kInt8, CacheType::kQ8);
  stops_always_ = true;

  const auto stopped = Run({mel}, WeightForm::kInt8, CacheType::kQ8);

  EXPECT_EQ(stopped, whole);
  EXPECT_GT(num_stops_, 20);
}

// Bytes and a q8 cache too: all instruction sets give the reference's bits.
TEST_P(Whisper, GivesTheBitsOfTheReference) {
  const std::vector<float> mel = MakeMel(14, 3);
  for (const WeightForm form : {WeightForm::kAsFiled, WeightForm::kInt8}) {
    const auto bits = testing::Bits(Run({mel}, form, CacheType::kQ8)[0]);
    const std::unique_ptr<testing::Machine> own = std::move(machine_);
    machine_ = std::make_unique<testing::Machine>("cpu-reference", 1);
    EXPECT_EQ(bits, testing::Bits(Run({mel}, form, CacheType::kQ8)[0]));
    machine_ = std::make_unique<testing::Machine>(GetParam(), 2);
  }
}

// Sizes that a file may claim and no pass has room for.
TEST(WhisperSizes, OfHeadsAndPositionsAreBounded) {
  struct Case {
    TinyWhisperSizes sizes;
    std::string part;
  };
  const Case cases[] = {
      {{.text_context = 15, .audio_heads = 2}, "whisper.context_length"},
      {{.hidden = 1026, .text_context = 16, .text_heads = 1, .audio_heads = 1},
       "1026 wide"},
      {{.text_context = 16}, "must have the same"}};
  for (const Case& wrong : cases) {
    MemoryFiles files;
    Memory memory(0);
    files.Put("d/model.bin",
              WriteCtranslate2(TinyWhisper(wrong.sizes)).bytes());
    files.Put("d/vocabulary.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
    const auto file = ModelFile::Open("d", files.reader(), memory);
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::Status status = DescribeArchitecture(**file).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.ToString().find(wrong.part), std::string::npos) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(AllBackends, Whisper,
                         ::testing::ValuesIn(testing::CpuBackends()),
                         [](const auto& instance) {
                           return instance.param.substr(4);
                         });

}  // namespace
}  // namespace specinfer
