#include "src/text/tokenizer_json.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "tests/text/tiny_vocabulary.h"

namespace specinfer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json ByteLevel() { return json::parse(ReadTestdata("tokenizer/qwen2.json")); }

TEST(TokenizerJson, ReadsMergesAsTextAndAsPairs) {
  json pairs = ByteLevel(), texts = ByteLevel();
  for (json& merge : texts["model"]["merges"]) {
    if (merge.is_array())
      merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  for (json& merge : pairs["model"]["merges"]) {
    if (merge.is_string()) {
      const std::string text = merge;
      merge = json::array({text.substr(0, text.find(' ', 1)),
                           text.substr(text.find(' ', 1) + 1)});
    }
  }

  const auto from_pairs = TokenizerFromJson(pairs.dump()),
             from_texts = TokenizerFromJson(texts.dump());

  ASSERT_TRUE(from_pairs.ok()) << from_pairs.status();
  ASSERT_TRUE(from_texts.ok()) << from_texts.status();
  EXPECT_EQ(Tokens(**from_pairs, "for (int i = 0;"),
            Tokens(**from_texts, "for (int i = 0;"));
}

TEST(TokenizerJson, LeavesHolesUnused) {
  json document = ByteLevel();
  const int next = static_cast<int>(document["model"]["vocab"].size() +
                                    document["added_tokens"].size());
  document["added_tokens"].push_back(
      {{"id", next + 10}, {"content", "<late>"}, {"special", true}});

  const auto tokenizer = TokenizerFromJson(document.dump());

  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocabulary_size(), next + 11);
  EXPECT_FALSE((*tokenizer)->HasText(next + 5));
  EXPECT_EQ((*tokenizer)->FindSpecial("<late>"), next + 10);
}

TEST(TokenizerJson, StripsBlanksBesideTokensThatSaySo) {
  json document = ByteLevel();
  for (json& token : document["added_tokens"]) {
    if (token["content"] == "<tool_call>")
      token["lstrip"] = token["rstrip"] = true;
  }
  const auto tokenizer = TokenizerFromJson(document.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();

  EXPECT_EQ(Tokens(**tokenizer, "a  <tool_call> \n b"),
            Tokens(**tokenizer, "a<tool_call>b"));
}

struct HostileCase {
  const char* name;
  void (*spoil)(json&);
  const char* says;
};

class HostileTokenizerJson : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileTokenizerJson, IsRefusedWithASentence) {
  json document = ByteLevel();
  GetParam().spoil(document);

  const auto tokenizer = TokenizerFromJson(document.dump());

  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(std::string(tokenizer.status().message()),
              HasSubstr(GetParam().says));
  EXPECT_THAT(std::string(tokenizer.status().message()),
              HasSubstr("tokenizer.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HostileTokenizerJson,
    testing::ValuesIn<HostileCase>(
        {{"NoModel", [](json& j) { j.erase("model"); }, "no model"},
         {"ModelIsText", [](json& j) { j["model"] = "BPE"; }, "no model"},
         {"Unigram", [](json& j) { j["model"]["type"] = "Unigram"; },
          "Unigram"},
         {"VocabularyIsArray",
          [](json& j) { j["model"]["vocab"] = json::array({1}); }, "vocab"},
         {"IdIsText", [](json& j) { j["model"]["vocab"]["zz"] = "1"; }, "id"},
         {"IdIsNegative", [](json& j) { j["model"]["vocab"]["zz"] = -1; },
          "id"},
         {"IdIsFraction", [](json& j) { j["model"]["vocab"]["zz"] = 1.5; },
          "id"},
         {"IdIsHuge", [](json& j) { j["model"]["vocab"]["zz"] = 4000000000u; },
          "4000000000"},
         {"TwoTokensOneId", [](json& j) { j["model"]["vocab"]["zz"] = 5; },
          "id 5"},
         {"OneTextTwoIds",
          [](json& j) {
            j["added_tokens"].push_back(
                {{"id", 900}, {"content", "a"}, {"special", true}});
          },
          "both"},
         {"AddedTokensIsObject",
          [](json& j) { j["added_tokens"] = json::object(); }, "added_tokens"},
         {"AddedTokenIsNumber", [](json& j) { j["added_tokens"].push_back(3); },
          "no id"},
         {"AddedTokenHasNoText",
          [](json& j) {
            j["added_tokens"].push_back({{"id", 700}});
          },
          "no text"},
         {"MergesIsObject",
          [](json& j) { j["model"]["merges"] = json::object(); }, "merges"},
         {"MergeIsNumber", [](json& j) { j["model"]["merges"].push_back(1); },
          "merge"},
         {"MergeOfThree",
          [](json& j) {
            j["model"]["merges"].push_back({"a", "b", "c"});
          },
          "merge"},
         {"MergeOfAbsentToken",
          [](json& j) {
            j["model"]["merges"].push_back({"a", "\u4E00"});
          },
          "merge"},
         {"MergeOfEmptyPart",
          [](json& j) {
            j["model"]["merges"].push_back({"a", ""});
          },
          "merge"},
         HostileCase{
             "UnknownExpression",
             [](json& j) {
               j["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] =
                   "(a+)+$";
             },
             "(a+)+$"},
         {"NoPattern",
          [](json& j) {
            j["pre_tokenizer"]["pretokenizers"][0].erase("pattern");
          },
          "pattern"},
         {"UnknownPreTokenizer",
          [](json& j) {
            j["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
          },
          "BertPreTokenizer"},
         {"NoPreTokenizer", [](json& j) { j["pre_tokenizer"] = nullptr; },
          "ByteLevel"},
         {"UnknownNormalizer",
          [](json& j) {
            j["normalizer"] = {{"type", "Lowercase"}};
          },
          "Lowercase"},
         HostileCase{
             "SubwordPrefix",
             [](json& j) { j["model"]["continuing_subword_prefix"] = "##"; },
             "continuing_subword_prefix"},
         {"AbsentUnknownToken",
          [](json& j) { j["model"]["unk_token"] = "nowhere"; }, "unk_token"}}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(TokenizerJson, RefusesTextThatIsNoJson) {
  for (const char* text : {"", "{", "[]", "null", "{\"model\":\xFF}"}) {
    EXPECT_FALSE(TokenizerFromJson(text).ok()) << text;
  }
}

TEST(TokenizerJson, RefusesDeepNesting) {
  EXPECT_FALSE(TokenizerFromJson(std::string(200000, '[')).ok());
  EXPECT_FALSE(
      TokenizerFromJson(std::string(200000, '[') + std::string(200000, ']'))
          .ok());
}

TEST(TokenizerJson, SurvivesAnyChangeOfAByte) {
  const std::string document = ReadTestdata("tokenizer/characters.json");
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::string changed = document;
    for (uint32_t i = 0; i <= random() % 4; ++i)
      changed[random() % changed.size()] = static_cast<char>(random());

    const auto tokenizer = TokenizerFromJson(changed);

    if (tokenizer.ok()) Tokens(**tokenizer, "Hello <s> \u65E5 1");
  }
}

}  // namespace
}  // namespace specinfer
