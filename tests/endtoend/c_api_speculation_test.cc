// Speculation through the C API: the same text whoever guesses, and statistics
// and rounds that tell what became of the guesses.
#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/endtoend/c_api_fixture.h"

namespace specinfer_test {
namespace {

constexpr int32_t kStrategies[] = {
    SPECINFER_STRATEGY_AUTO,  SPECINFER_STRATEGY_OFF,
    SPECINFER_STRATEGY_NGRAM, SPECINFER_STRATEGY_DRAFT,
    SPECINFER_STRATEGY_TREE,  SPECINFER_STRATEGY_EARLY_EXIT};

specinfer_generation_config Guessed(int32_t strategy, uint32_t max_tokens = 48,
                                    float temperature = 0.0f) {
  specinfer_generation_config config = AnswerOf(max_tokens);
  config.strategy = strategy;
  config.temperature = temperature;
  config.seed = 5;
  return config;
}

// What the round callback was told, copied.
struct Rounds {
  struct Round {
    specinfer_round about;
    std::vector<specinfer_round_node> nodes;
    Tokens tokens;
    std::string reason;
  };

  static void Keep(void* user_data, const specinfer_round* round) {
    Round kept = {
        *round, {}, {}, std::string(round->reason, round->reason_length)};
    for (size_t i = 0; i < round->num_nodes; ++i) {
      kept.nodes.push_back(*reinterpret_cast<const specinfer_round_node*>(
          reinterpret_cast<const char*>(round->nodes) + i * round->node_size));
    }
    kept.tokens.assign(round->tokens, round->tokens + round->num_tokens);
    static_cast<Rounds*>(user_data)->all.push_back(std::move(kept));
  }
  void Watch(const SessionOwner& session) {
    EXPECT_OK(specinfer_session_set_round_callback(session.get(), Keep, this));
  }

  std::vector<Round> all;
};

class CApiSpeculation : public testing::Test {
 protected:
  // A session whose model drafts for itself.
  SessionOwner Prompted(uint32_t max_tree_nodes = 0) {
    SessionOwner session = CreateDraftedSession(model_, model_, max_tree_nodes);
    EXPECT_OK(SetPrompt(session, kPrompt));
    return session;
  }

  EngineOwner engine_ = CreateEngine();
  ModelOwner model_ = LoadModel(engine_);
};

class CApiSpeculationText : public testing::TestWithParam<const char*> {};

TEST_P(CApiSpeculationText, IsTheSameWithEveryStrategy) {
  const EngineOwner engine = CreateEngine();
  const ModelOwner model = LoadModel(engine, TinyModel(GetParam()));
  for (const float temperature : {0.0f, 0.8f}) {
    const SessionOwner plain = CreateSession(model);
    ASSERT_OK(SetPrompt(plain, kPrompt));
    const Answer expected =
        Generate(plain, Guessed(SPECINFER_STRATEGY_OFF, 48, temperature));
    EXPECT_EQ(SpeculationStatistics(plain).num_speculative_rounds, 0u);
    for (const int32_t strategy : kStrategies) {
      SCOPED_TRACE(testing::Message() << strategy << " at " << temperature);
      const SessionOwner session = CreateDraftedSession(model, model);
      ASSERT_OK(SetPrompt(session, kPrompt));

      auto config = Guessed(strategy, 48, temperature);
      // Whether they pay or not: that is for the clock to say.
      if (strategy == SPECINFER_STRATEGY_DRAFT ||
          strategy == SPECINFER_STRATEGY_TREE)
        config.tree_size = 4;

      const Answer answer = Generate(session, config);

      EXPECT_EQ(answer.tokens, expected.tokens);
      EXPECT_EQ(answer.text, expected.text);
      EXPECT_EQ(GetTokens(session), GetTokens(plain));
      if (strategy == SPECINFER_STRATEGY_DRAFT ||
          strategy == SPECINFER_STRATEGY_TREE) {
        EXPECT_LT(SpeculationStatistics(session).num_rounds, 40u);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, CApiSpeculationText,
                         testing::Values("tiny-llama.gguf", "tiny-qwen3.gguf",
                                         "tiny-gemma3.gguf"),
                         [](const auto& tested) {
                           const std::string name = tested.param;
                           return name.substr(5, name.size() - 10);
                         });

// Checks that the nodes of each round are a tree behind `text`, whose accepted
// path and one token more are what the round adds. Returns the text after the
// rounds.
Tokens FollowRounds(const Rounds& rounds, Tokens text) {
  uint64_t last_start = 0;
  for (const Rounds::Round& round : rounds.all) {
    EXPECT_EQ(round.about.struct_size, sizeof(specinfer_round));
    EXPECT_NE(round.about.strategy, SPECINFER_STRATEGY_AUTO);
    EXPECT_FALSE(round.reason.empty());
    EXPECT_GE(round.about.start_microseconds, last_start);
    last_start = round.about.start_microseconds;
    EXPECT_EQ(round.about.num_context_tokens, text.size() - 1);

    EXPECT_FALSE(round.nodes.empty());
    if (round.nodes.empty()) break;
    EXPECT_EQ(round.nodes[0].token, text.back());
    EXPECT_EQ(round.nodes[0].parent, -1);
    EXPECT_EQ(round.nodes[0].drafter, -1);
    EXPECT_NE(round.nodes[0].accepted, 0);
    Tokens path;
    int32_t end = 0;
    for (size_t i = 1; i < round.nodes.size(); ++i) {
      const specinfer_round_node& node = round.nodes[i];
      EXPECT_GE(node.parent, 0);
      EXPECT_LT(node.parent, static_cast<int32_t>(i));
      EXPECT_GE(node.drafter, 0);
      if (node.accepted == 0) continue;
      EXPECT_EQ(node.parent, end) << "accepted beside the path";
      end = static_cast<int32_t>(i);
      path.push_back(node.token);
    }
    EXPECT_EQ(round.tokens.size(), path.size() + 1);
    path.push_back(round.tokens.back());
    EXPECT_EQ(round.tokens, path);
    text.insert(text.end(), path.begin(), path.end());
  }
  return text;
}

TEST_F(CApiSpeculation, NodesOfARoundAreATreeWhoseAcceptedPathIsTheText) {
  for (const int32_t strategy : kStrategies) {
    SCOPED_TRACE(strategy);
    const SessionOwner session = Prompted();
    const Tokens prompt = GetTokens(session);
    Rounds rounds;
    rounds.Watch(session);

    Generate(session, Guessed(strategy));

    EXPECT_EQ(FollowRounds(rounds, prompt), GetTokens(session));
    for (const Rounds::Round& round : rounds.all) {
      if (strategy != SPECINFER_STRATEGY_AUTO) {
        EXPECT_EQ(round.about.strategy, strategy);
      }
    }
  }
}

// Several answers that are alike make trees with branches, of which not always
// the first is right.
TEST_F(CApiSpeculation, NodesOfBranchingTreesToo) {
  const ModelOwner model = LoadModel(engine_, TinyModel("tiny-gemma3.gguf"));
  specinfer_corpus* created = nullptr;
  ASSERT_OK(specinfer_corpus_create(model.get(), 0, &created));
  const CorpusOwner corpus(created);
  int num_jumps = 0;
  // The size of trees depends on the times of passes, hence as often as it
  // takes.
  for (int turn = 0; turn < 120 && num_jumps < 3; ++turn) {
    const SessionOwner session = CreateSession(model);
    ASSERT_OK(SetPrompt(session, kPrompt));
    ASSERT_OK(specinfer_session_set_corpus(session.get(), corpus.get(),
                                           SPECINFER_CORPUS_LEARN));
    const Tokens prompt = GetTokens(session);
    Rounds rounds;
    rounds.Watch(session);
    specinfer_generation_config config =
        Guessed(SPECINFER_STRATEGY_NGRAM, 60, 0.2f);
    config.seed = 1 + turn % 6;

    Generate(session, config);

    EXPECT_EQ(FollowRounds(rounds, prompt), GetTokens(session));
    for (const Rounds::Round& round : rounds.all) {
      for (size_t i = 1; i < round.nodes.size(); ++i) {
        const specinfer_round_node& node = round.nodes[i];
        num_jumps +=
            node.accepted != 0 && node.parent != static_cast<int32_t>(i) - 1;
      }
    }
  }
  EXPECT_GE(num_jumps, 3);
}

TEST_F(CApiSpeculation, StatisticsAreTheSumOfTheRounds) {
  for (const int32_t strategy : kStrategies) {
    SCOPED_TRACE(strategy);
    const SessionOwner session = Prompted();
    Rounds rounds;
    rounds.Watch(session);
    const size_t num_tokens =
        Generate(session, Guessed(strategy)).tokens.size();
    const specinfer_speculation_statistics statistics =
        SpeculationStatistics(session);

    uint64_t num_from_rounds = 0, num_speculative = 0;
    std::vector<uint64_t> proposed(SPECINFER_MAX_DRAFTERS);
    std::vector<uint64_t> reached(SPECINFER_MAX_DRAFTERS);
    std::vector<uint64_t> accepted(SPECINFER_MAX_DRAFTERS);
    for (const Rounds::Round& round : rounds.all) {
      num_from_rounds += round.tokens.size();
      num_speculative += round.nodes.size() > 1;
      for (size_t i = 1; i < round.nodes.size(); ++i) {
        const specinfer_round_node& node = round.nodes[i];
        ++proposed[node.drafter];
        reached[node.drafter] += round.nodes[node.parent].accepted != 0;
        accepted[node.drafter] += node.accepted != 0;
      }
    }
    EXPECT_EQ(statistics.num_tokens, num_tokens);
    EXPECT_EQ(statistics.num_tokens, num_from_rounds);
    EXPECT_EQ(statistics.num_rounds, rounds.all.size());
    EXPECT_EQ(statistics.num_speculative_rounds, num_speculative);
    EXPECT_EQ(statistics.strategy, rounds.all.back().about.strategy);
    EXPECT_EQ(statistics.last_tree_nodes, rounds.all.back().nodes.size());
    EXPECT_EQ(statistics.last_error, SPECINFER_OK);
    EXPECT_STREQ(statistics.last_error_text, "");

    uint64_t num_reached = 0, num_accepted = 0;
    ASSERT_LE(statistics.num_drafters, uint32_t{SPECINFER_MAX_DRAFTERS});
    for (uint32_t i = 0; i < SPECINFER_MAX_DRAFTERS; ++i) {
      const specinfer_drafter_statistics& drafter = statistics.drafters[i];
      EXPECT_LE(drafter.num_accepted, drafter.num_reached);
      EXPECT_LE(drafter.num_reached, drafter.num_proposed);
      EXPECT_EQ(drafter.num_proposed, proposed[i]);
      EXPECT_EQ(drafter.num_reached, reached[i]);
      EXPECT_EQ(drafter.num_accepted, accepted[i]);
      EXPECT_EQ(drafter.num_errors, 0u);
      EXPECT_EQ(std::strlen(drafter.name) > 0, i < statistics.num_drafters);
      num_reached += drafter.num_reached;
      num_accepted += drafter.num_accepted;
    }
    for (int depth = 0; depth < SPECINFER_MAX_DEPTHS; ++depth) {
      num_reached -= statistics.reached_by_depth[depth];
      num_accepted -= statistics.accepted_by_depth[depth];
    }
    EXPECT_EQ(num_reached, 0u);
    EXPECT_EQ(num_accepted, 0u);
    // A round brings what was accepted and one more.
    uint64_t all_accepted = 0;
    for (const uint64_t count : accepted) all_accepted += count;
    EXPECT_EQ(statistics.num_tokens, statistics.num_rounds + all_accepted);
  }
}

TEST_F(CApiSpeculation, StatisticsNameTheDrafters) {
  const SessionOwner session = Prompted();
  Generate(session, Guessed(SPECINFER_STRATEGY_EARLY_EXIT));
  const specinfer_speculation_statistics statistics =
      SpeculationStatistics(session);

  std::vector<std::string> names;
  for (uint32_t i = 0; i < statistics.num_drafters; ++i)
    names.emplace_back(statistics.drafters[i].name);

  EXPECT_EQ(names, (std::vector<std::string>{"expected", "edit", "ngram",
                                             "draft", "early-exit"}));
}

TEST_F(CApiSpeculation, AnOldStatisticsStructIsWrittenNoFurtherThanItGoes) {
  const SessionOwner session = Prompted();
  Generate(session, Guessed(SPECINFER_STRATEGY_DRAFT));
  // One of a newer header, with a field behind the last.
  struct {
    specinfer_speculation_statistics known;
    uint64_t later;
  } newer = {SPECINFER_SPECULATION_STATISTICS_INIT, 77};
  newer.known.struct_size = sizeof(newer);

  ASSERT_OK(specinfer_session_get_speculation_statistics(session.get(),
                                                         &newer.known));

  EXPECT_EQ(newer.known.struct_size, sizeof(newer));
  EXPECT_GT(newer.known.num_rounds, 0u);
  EXPECT_EQ(newer.later, 77u);
}

TEST_F(CApiSpeculation, TreesHaveAtMostMaxTreeNodes) {
  for (const uint32_t max_tree_nodes : {1u, 2u, 7u, 1024u}) {
    SCOPED_TRACE(max_tree_nodes);
    const SessionOwner session = Prompted(max_tree_nodes);
    Rounds rounds;
    rounds.Watch(session);

    const Answer answer = Generate(session, Guessed(SPECINFER_STRATEGY_TREE));

    EXPECT_EQ(answer.tokens.size(), 48u);
    size_t most = 0;
    for (const Rounds::Round& round : rounds.all)
      most = std::max(most, round.nodes.size());
    EXPECT_LE(most, max_tree_nodes);
    if (max_tree_nodes > 1) {
      EXPECT_GT(most, 1u);
    }
  }
}

TEST_F(CApiSpeculation, ARoundCallbackIsCalledUntilItIsTakenBack) {
  const SessionOwner session = Prompted();
  Rounds first, second;
  first.Watch(session);
  Generate(session, Guessed(SPECINFER_STRATEGY_DRAFT, 8));
  const size_t num_rounds = first.all.size();
  EXPECT_GT(num_rounds, 0u);

  second.Watch(session);
  Generate(session, Guessed(SPECINFER_STRATEGY_DRAFT, 8));
  EXPECT_EQ(first.all.size(), num_rounds);
  EXPECT_GT(second.all.size(), 0u);

  const size_t num_second = second.all.size();
  ASSERT_OK(
      specinfer_session_set_round_callback(session.get(), nullptr, nullptr));
  Generate(session, Guessed(SPECINFER_STRATEGY_DRAFT, 8));
  EXPECT_EQ(second.all.size(), num_second);
}

}  // namespace
}  // namespace specinfer_test
