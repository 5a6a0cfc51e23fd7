#include "src/speculate/corpus.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/fuzz/mutator.h"
#include "xxhash.h"

namespace specinfer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr CorpusOptions kOptions = {
    .max_tokens = 1024, .vocabulary_size = 3000, .vocabulary_fingerprint = 42};

absl::Span<const uint8_t> Bytes(const std::string& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

class CorpusTest : public testing::Test {
 protected:
  std::unique_ptr<Corpus> Make(const CorpusOptions& options = kOptions) {
    return *Corpus::Create(memory_, options);
  }

  std::vector<std::vector<Token>> Find(const Corpus& corpus,
                                       const std::vector<Token>& text) {
    Continuations found(8, 6);
    std::vector<NgramMatch> scratch;
    corpus.FindContinuations(text, 8, &scratch, &found);
    std::vector<std::vector<Token>> continuations;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(found.entry(i).is_from_corpus);
      continuations.emplace_back(found.tokens(i).begin(),
                                 found.tokens(i).end());
    }
    return continuations;
  }

  static std::string Save(const Corpus& corpus) {
    std::string bytes;
    EXPECT_TRUE(corpus
                    .Save([&](const void* data, size_t num_bytes) {
                      bytes.append(static_cast<const char*>(data), num_bytes);
                      return true;
                    })
                    .ok());
    return bytes;
  }

  // As a writer who means it: the hash fits.
  static std::string WithHash(std::string bytes) {
    if (bytes.size() < 8) return bytes;
    const uint64_t digest = XXH3_64bits(bytes.data(), bytes.size() - 8);
    std::memcpy(bytes.data() + bytes.size() - 8, &digest, 8);
    return bytes;
  }

  Memory memory_{0};
};

TEST_F(CorpusTest, TellsWhatFollowedInAnyOfItsTexts) {
  auto corpus = Make();
  ASSERT_TRUE(corpus->Add({1, 2, 3, 4}).ok());
  ASSERT_TRUE(corpus->Add({9, 1, 2, 5}).ok());

  EXPECT_THAT(Find(*corpus, {9, 1, 2}),
              ElementsAre(ElementsAre(5), ElementsAre(3, 4)));
}

TEST_F(CorpusTest, ATextIsNotContinuedByTheNext) {
  auto corpus = Make();
  ASSERT_TRUE(corpus->Add({1, 2}).ok());
  ASSERT_TRUE(corpus->Add({3, 4}).ok());

  EXPECT_THAT(Find(*corpus, {1, 2}), IsEmpty());
  EXPECT_THAT(Find(*corpus, {2, 3}), ElementsAre(ElementsAre(4)));
}

TEST_F(CorpusTest, ForgetsTheOldestTextsFirst) {
  auto corpus = Make();
  const uint64_t bytes = memory_.used_bytes();
  for (Token i = 0; i < 500; ++i)
    ASSERT_TRUE(corpus->Add({i, 1000 + i, 2000 + i}).ok());

  EXPECT_LE(corpus->num_tokens(), 1024u);
  EXPECT_GE(corpus->num_tokens(), 768u);
  EXPECT_EQ(memory_.used_bytes(), bytes);
  EXPECT_THAT(Find(*corpus, {3, 1003}), IsEmpty());
  EXPECT_THAT(Find(*corpus, {499, 1499}), ElementsAre(ElementsAre(2499)));
  EXPECT_THAT(Find(*corpus, {400, 1400}), ElementsAre(ElementsAre(2400)));
}

TEST_F(CorpusTest, TheLatestOfATextThatIsTooLongIsKept) {
  auto corpus = Make();
  std::vector<Token> text(5000);
  for (size_t i = 0; i < text.size(); ++i)
    text[i] = static_cast<Token>(i % 1000);
  ASSERT_TRUE(corpus->Add(text).ok());

  EXPECT_LE(corpus->num_tokens(), 1024u);
  EXPECT_THAT(Find(*corpus, {996, 997}), ElementsAre(ElementsAre(998, 999)));
}

TEST_F(CorpusTest, RefusesTokensOfNoVocabulary) {
  auto corpus = Make();

  EXPECT_EQ(corpus->Add({1, 3000}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(corpus->Add({1, -1}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(corpus->num_tokens(), 0u);
  EXPECT_EQ(Corpus::Create(memory_, {.max_tokens = 8, .vocabulary_size = 10})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

// The host's allocator sees what is in the memory.
struct Spy {
  std::vector<std::pair<uint8_t*, size_t>> blocks;
  bool Sees(Token token) const {
    for (const auto& [data, size] : blocks) {
      for (size_t i = 0; i + sizeof(Token) <= size; i += sizeof(Token)) {
        if (std::memcmp(data + i, &token, sizeof(Token)) == 0) return true;
      }
    }
    return false;
  }
};

TEST_F(CorpusTest, ClearingOverwritesTheMemory) {
  constexpr Token kSecret = 0x5EC2E7;
  Spy spy;
  MemoryHooks hooks;
  hooks.user_data = &spy;
  hooks.allocate = [](void* user_data, size_t num_bytes, size_t alignment) {
    void* const block = std::aligned_alloc(
        alignment, (num_bytes + alignment - 1) / alignment * alignment);
    static_cast<Spy*>(user_data)->blocks.push_back(
        {static_cast<uint8_t*>(block), num_bytes});
    return block;
  };
  hooks.release = [](void*, void* block, size_t, size_t) { std::free(block); };
  Memory memory(0, hooks);
  auto corpus = *Corpus::Create(
      memory, {.max_tokens = 1024, .vocabulary_size = kSecret + 1});
  ASSERT_TRUE(corpus->Add(std::vector<Token>(400, kSecret)).ok());
  ASSERT_TRUE(spy.Sees(kSecret));

  corpus->Clear();

  EXPECT_FALSE(spy.Sees(kSecret));
  EXPECT_EQ(corpus->num_tokens(), 0u);
}

TEST_F(CorpusTest, IsRestoredAsItWasSaved) {
  auto corpus = Make();
  for (Token i = 0; i < 600; ++i)
    ASSERT_TRUE(corpus->Add({i, 1000 + i, 2000 + i}).ok());
  const std::string bytes = Save(*corpus);
  auto restored = Make();
  ASSERT_TRUE(restored->Add({800, 801, 802}).ok());

  ASSERT_TRUE(restored->Restore(Bytes(bytes)).ok());

  EXPECT_EQ(restored->num_tokens(), corpus->num_tokens());
  EXPECT_THAT(Find(*restored, {800, 801}), IsEmpty());
  for (Token i = 0; i < 600; ++i)
    EXPECT_EQ(Find(*restored, {i, 1000 + i}), Find(*corpus, {i, 1000 + i}));
}

TEST_F(CorpusTest, ASmallerCorpusKeepsTheLatestPart) {
  auto corpus = Make();
  for (Token i = 0; i < 200; ++i)
    ASSERT_TRUE(corpus->Add({i, 1000 + i, 2000 + i}).ok());
  CorpusOptions options = kOptions;
  options.max_tokens = 256;
  auto smaller = Make(options);

  ASSERT_TRUE(smaller->Restore(Bytes(Save(*corpus))).ok());

  EXPECT_LE(smaller->num_tokens(), 256u);
  EXPECT_THAT(Find(*smaller, {199, 1199}), ElementsAre(ElementsAre(2199)));
  EXPECT_THAT(Find(*smaller, {1, 1001}), IsEmpty());
}

TEST_F(CorpusTest, AnEmptyCorpusIsSavedToo) {
  auto corpus = Make();
  const std::string bytes = Save(*corpus);
  ASSERT_TRUE(corpus->Add({1, 2, 3}).ok());

  ASSERT_TRUE(corpus->Restore(Bytes(bytes)).ok());

  EXPECT_EQ(corpus->num_tokens(), 0u);
}

TEST_F(CorpusTest, IsNotRestoredToAnotherVocabulary) {
  auto corpus = Make();
  ASSERT_TRUE(corpus->Add({1, 999}).ok());
  const std::string bytes = Save(*corpus);

  CorpusOptions options = kOptions;
  options.vocabulary_fingerprint = 43;
  const absl::Status other = Make(options)->Restore(Bytes(bytes));
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr("vocabulary"));
  options = kOptions;
  options.vocabulary_size = 500;  // a lie about the fingerprint
  EXPECT_EQ(Make(options)->Restore(Bytes(bytes)).code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(CorpusTest, IsNotRestoredFromAnotherFormat) {
  auto corpus = Make();
  const std::string bytes = Save(*corpus);
  int num_refused = 0;
  // One of these words is the version.
  for (size_t at = 12; at + 4 <= 64; at += 4) {
    std::string other = bytes;
    uint32_t word = 0;
    std::memcpy(&word, other.data() + at, 4);
    if (word != 1) continue;
    word = 2;
    std::memcpy(other.data() + at, &word, 4);
    const absl::Status status = corpus->Restore(Bytes(WithHash(other)));
    if (std::string(status.message()).find("format 2") != std::string::npos)
      ++num_refused;
  }
  EXPECT_EQ(num_refused, 1);
}

TEST_F(CorpusTest, AHeadThatIsTooLongIsRefused) {
  auto corpus = Make();
  std::string bytes = Save(*corpus);
  const uint32_t head_bytes = 1 << 20;
  std::memcpy(bytes.data(), &head_bytes, 4);
  bytes.insert(64, std::string((1 << 20) + 4096, '\0'));

  EXPECT_EQ(corpus->Restore(Bytes(WithHash(bytes))).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CorpusTest, SavingStopsWhereTheWriterSaysSo) {
  auto corpus = Make();
  ASSERT_TRUE(corpus->Add({1, 2, 3}).ok());
  int parts = 0;
  const auto count = [&](const void*, size_t) { return ++parts > 0; };
  ASSERT_TRUE(corpus->Save(count).ok());
  for (int refused = 0; refused < parts; ++refused) {
    int part = 0;
    EXPECT_EQ(
        corpus->Save([&](const void*, size_t) { return part++ != refused; })
            .code(),
        absl::StatusCode::kCancelled);
  }
}

TEST_F(CorpusTest, DamagedBytesAreAnErrorAndChangeNothing) {
  auto corpus = Make();
  for (Token i = 0; i < 20; ++i)
    ASSERT_TRUE(corpus->Add({i, 1000 + i, 2000 + i}).ok());
  const std::string bytes = Save(*corpus);
  Mutator mutator(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string damaged = mutator.Mutate(bytes, 96);
    if (damaged == bytes) continue;
    const absl::Status status = corpus->Restore(Bytes(damaged));
    ASSERT_THAT(status.code(),
                testing::AnyOf(absl::StatusCode::kDataLoss,
                               absl::StatusCode::kInvalidArgument));
    ASSERT_EQ(Save(*corpus), bytes);
  }
}

// Without the hash's protection: only whole corpora of the vocabulary pass.
TEST_F(CorpusTest, HostileBytesNeverBringInForeignTokens) {
  auto corpus = Make();
  for (Token i = 0; i < 20; ++i)
    ASSERT_TRUE(corpus->Add({i, 1000 + i, 2000 + i}).ok());
  const std::string bytes = Save(*corpus);
  Mutator mutator(6);
  int num_restored = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string hostile = WithHash(mutator.Mutate(bytes, 128));
    auto victim = Make();
    if (!victim->Restore(Bytes(hostile)).ok()) {
      ASSERT_EQ(victim->num_tokens(), 0u);
      continue;
    }
    ++num_restored;
    for (Token token = 0; token < 20; ++token) {
      for (const auto& continuation : Find(*victim, {token, 1000 + token})) {
        for (const Token next : continuation) {
          ASSERT_GE(next, 0);
          ASSERT_LT(next, kOptions.vocabulary_size);
        }
      }
    }
  }
  EXPECT_GT(num_restored, 0);
}

TEST_F(CorpusTest, EveryShortenedFileIsRefused) {
  auto corpus = Make();
  ASSERT_TRUE(corpus->Add({1, 2, 3}).ok());
  const std::string bytes = Save(*corpus);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(corpus->Restore(Bytes(bytes.substr(0, size))).ok());
    EXPECT_FALSE(corpus->Restore(Bytes(WithHash(bytes.substr(0, size)))).ok());
  }
}

TEST_F(CorpusTest, SessionsOnManyThreadsShareIt) {
  auto corpus = Make();
  std::atomic<bool> is_done{false};
  std::atomic<int> num_wrong{0};
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      Continuations found(8, 6);
      std::vector<NgramMatch> scratch;
      while (!is_done.load()) {
        found.Clear();
        corpus->FindContinuations({5, 6}, 8, &scratch, &found);
        for (size_t i = 0; i < found.size(); ++i)
          if (found.tokens(i)[0] != 7) ++num_wrong;
      }
    });
  }
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(corpus->Add({5, 6, 7, 8}).ok());
    if (i % 500 == 0) corpus->Clear();
    if (i % 700 == 0) {
      ASSERT_TRUE(corpus->Restore(Bytes(Save(*corpus))).ok());
    }
  }
  is_done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(num_wrong, 0);
}

}  // namespace
}  // namespace specinfer
