#include "explain_page.h"

#include <algorithm>

#include "explain_page_files.h"
#include "file_text.h"
#include "processor.h"
#include "speculation_options.h"
#include "speculation_report.h"
#include "token_pieces.h"
#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using nlohmann::ordered_json;

// [piece, drafter, round] of each token. A character that several tokens make
// up belongs to the last of them; the pieces before it are empty.
ordered_json AnswerOf(const std::vector<AnswerToken>& answer,
                      TokenPieces& pieces) {
  ordered_json tokens = ordered_json::array();
  std::string pending;
  for (const AnswerToken& token : answer) {
    pending += pieces.BytesOf(token.token);
    const size_t num_whole =
        &token == &answer.back() ? pending.size() : WholeCharacters(pending);
    tokens.push_back({pieces.IndexOf(pending.substr(0, num_whole)),
                      token.drafter, token.round});
    pending.erase(0, num_whole);
  }
  return tokens;
}

// [piece, parent, drafter, accepted, score in 1/1000] of each node.
ordered_json NodesOf(const RecordedRound& round, TokenPieces& pieces) {
  ordered_json nodes = ordered_json::array();
  for (const specinfer_round_node& node : round.nodes) {
    nodes.push_back({pieces.IndexOf(node.token), node.parent, node.drafter,
                     node.accepted != 0 ? 1 : 0,
                     static_cast<int>(1000 * node.score + 0.5f)});
  }
  return nodes;
}

ordered_json RoundsOf(const std::vector<RecordedRound>& rounds,
                      TokenPieces& pieces) {
  ordered_json all = ordered_json::array();
  for (const RecordedRound& round : rounds) {
    ordered_json tokens = ordered_json::array();
    for (const specinfer_token token : round.tokens) {
      tokens.push_back(pieces.IndexOf(token));
    }
    all.push_back(
        {{"strategy", StrategyWord(round.strategy)},
         {"reason", pieces.IndexOf(round.reason)},
         {"context", round.num_context_tokens},
         {"start", round.start},
         {"times", {round.draft, round.forward, round.verify, round.commit}},
         {"predicted",
          {round.predicted_tokens, round.predicted_seconds,
           round.plain_seconds}},
         {"tokens", std::move(tokens)},
         {"nodes", NodesOf(round, pieces)}});
  }
  return all;
}

ordered_json DataOf(const ExplainedAnswer& explained) {
  TokenPieces pieces(explained.model);
  std::vector<AnswerToken> answer = AnswerTokens(explained.rounds);
  // The last round may reach beyond what was asked for.
  answer.resize(std::min(answer.size(), explained.answer.tokens.size()));
  ordered_json data = {{"model", explained.model_name},
                       {"draft", explained.draft_name},
                       {"prompt", explained.prompt},
                       {"strategy", explained.strategy},
                       {"verifier", explained.verifier},
                       {"backend", explained.backend},
                       {"threads", explained.num_threads},
                       {"cpu", ProcessorName()},
                       {"temperature", explained.temperature},
                       {"seed", explained.seed},
                       {"finish_reason", explained.answer.finish_reason},
                       {"prompt_tokens", explained.answer.num_prompt_tokens},
                       {"num_tokens", explained.answer.tokens.size()},
                       {"prefill_seconds", explained.answer.prefill_seconds},
                       {"decode_seconds", explained.answer.decode_seconds},
                       {"speculation", ToJson(explained.statistics)},
                       {"answer", AnswerOf(answer, pieces)},
                       {"rounds", RoundsOf(explained.rounds, pieces)}};
  data["pieces"] = pieces.texts();
  return data;
}

void Replace(const std::string& mark, const std::string& text,
             std::string& page) {
  page.replace(page.find(mark), mark.size(), text);
}

// JSON that no tag inside a string can end: "<" stands in strings alone.
std::string ForScriptTag(const ordered_json& data) {
  std::string text;
  for (const char c : data.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                                ordered_json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

void WriteExplainPage(const std::string& path,
                      const ExplainedAnswer& explained) {
  std::string page = kExplainHtml;
  Replace("/*style*/", kExplainCss, page);
  Replace("/*program*/",
          std::string(kExplainChartsJs) + kExplainTreeJs + kExplainPageJs,
          page);
  // Last: what the model wrote may look like a mark.
  Replace("{\"data\":0}", ForScriptTag(DataOf(explained)), page);
  WriteFile(path, page);
}

}  // namespace specinfer_cli
