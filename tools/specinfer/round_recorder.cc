#include "round_recorder.h"

#include <algorithm>
#include <new>

#include "failure.h"

namespace specinfer_cli {
namespace {

// Nodes lie `node_size` bytes apart: a newer library's are longer.
const specinfer_round_node& NodeAt(const specinfer_round& round, size_t index) {
  return *reinterpret_cast<const specinfer_round_node*>(
      reinterpret_cast<const char*>(round.nodes) + index * round.node_size);
}

RecordedRound Copy(const specinfer_round& round) {
  RecordedRound copy;
  copy.nodes.reserve(round.num_nodes);
  for (size_t i = 0; i < round.num_nodes; ++i) {
    copy.nodes.push_back(NodeAt(round, i));
  }
  copy.tokens.assign(round.tokens, round.tokens + round.num_tokens);
  copy.strategy = round.strategy;
  copy.num_context_tokens = round.num_context_tokens;
  copy.start = round.start_microseconds;
  copy.draft = round.draft_microseconds;
  copy.forward = round.forward_microseconds;
  copy.verify = round.verify_microseconds;
  copy.commit = round.commit_microseconds;
  copy.predicted_tokens = round.predicted_tokens;
  copy.predicted_seconds = round.predicted_seconds;
  copy.plain_seconds = round.plain_seconds;
  copy.reason.assign(round.reason_length == 0 ? "" : round.reason,
                     round.reason_length);
  return copy;
}

}  // namespace

RoundRecorder::RoundRecorder(specinfer_session* session) : session_(session) {
  Check(specinfer_session_set_round_callback(session_, Record, this));
}

RoundRecorder::~RoundRecorder() {
  specinfer_session_set_round_callback(session_, /*callback=*/nullptr,
                                       /*user_data=*/nullptr);
}

void RoundRecorder::Record(void* user_data, const specinfer_round* round) {
  auto* recorder = static_cast<RoundRecorder*>(user_data);
  // The caller is C: nothing is thrown through it. A round that finds no memory
  // is missing, as every later one will be.
  try {
    recorder->rounds_.push_back(Copy(*round));
  } catch (const std::bad_alloc&) {
  }
}

std::vector<AnswerToken> AnswerTokens(
    const std::vector<RecordedRound>& rounds) {
  std::vector<AnswerToken> answer;
  for (size_t i = 0; i < rounds.size(); ++i) {
    const RecordedRound& round = rounds[i];
    const uint32_t first = rounds[0].num_context_tokens;
    if (round.num_context_tokens >= first) {
      answer.resize(
          std::min<size_t>(answer.size(), round.num_context_tokens - first));
    }
    std::vector<const specinfer_round_node*> kept;  // parents before children
    for (const specinfer_round_node& node : round.nodes) {
      if (node.parent >= 0 && node.accepted != 0) kept.push_back(&node);
    }
    for (size_t k = 0; k < round.tokens.size(); ++k) {
      const bool is_guessed =
          k < kept.size() && kept[k]->token == round.tokens[k];
      answer.push_back(
          {round.tokens[k], is_guessed ? kept[k]->drafter : -1, i});
    }
  }
  return answer;
}

}  // namespace specinfer_cli
