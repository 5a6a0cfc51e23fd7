#include "src/speech/hotword_bias.h"

#include <algorithm>
#include <string>

#include "src/base/status_macros.h"
#include "src/text/utf8.h"

namespace specinfer {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

bool IsSmallLetter(char c) { return c >= 'a' && c <= 'z'; }

// A part of a character beyond ASCII is taken for a letter.
bool MayBeOfWord(char c) {
  return IsSmallLetter(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Thai and Lao, Burmese, Khmer, Chinese and Japanese.
bool IsOfScriptWithoutSpaces(std::string_view text) {
  const Utf8Step step = FirstUtf8Step(text);
  if (step.kind != Utf8Step::Kind::kCharacter) return false;
  const char32_t c = DecodeUtf8Character(text.substr(0, step.num_bytes));
  return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) ||
         (c >= 0x1780 && c <= 0x17FF) || (c >= 0x2E80 && c <= 0x9FFF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

// Calls body(phrase) for what lies between the characters of `separators`,
// blanks around it removed.
template <typename Body>
absl::Status ForEachPhrase(std::string_view text, std::string_view separators,
                           Body&& body) {
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(separators), text.size());
    std::string_view phrase = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t first = phrase.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) continue;
    const size_t last = phrase.find_last_not_of(kBlanks);
    SPECINFER_RETURN_IF_ERROR(body(phrase.substr(first, last - first + 1)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HotwordBias> HotwordBias::Create(const SpeechTokens& tokens,
                                                const Tokenizer& tokenizer,
                                                std::string_view hotwords,
                                                float bonus) {
  constexpr std::string_view kSeparators = ",;\r\n";
  const bool is_list = hotwords.find_first_of(kSeparators) != hotwords.npos;
  HotwordBias bias(tokens, tokenizer, bonus);
  SPECINFER_RETURN_IF_ERROR(ForEachPhrase(
      hotwords, is_list ? kSeparators : kBlanks,
      [&](std::string_view phrase) { return bias.AddPhrase(phrase); }));
  bias.ListBeginnings();
  return bias;
}

absl::Status HotwordBias::AddPhrase(std::string_view phrase) {
  std::string text = " ";
  text.append(phrase.data(), phrase.size());
  const bool has_small_first = IsSmallLetter(text[1]);
  const Root root = IsOfScriptWithoutSpaces(phrase) ? kAnywhere : kBetweenWords;
  while (true) {
    SPECINFER_RETURN_IF_ERROR(AddText(text, kAnywhere));
    SPECINFER_RETURN_IF_ERROR(AddText(std::string_view(text).substr(1), root));
    if (!has_small_first || !IsSmallLetter(text[1])) return absl::OkStatus();
    text[1] = static_cast<char>(text[1] - 'a' + 'A');
  }
}

// A space that is a token of its own begins anything, so it begins nothing.
absl::Status HotwordBias::AddText(std::string_view text, Root root) {
  std::vector<Token> tokens;
  SPECINFER_RETURN_IF_ERROR(tokenizer_->TokenizeContinuation(text, &tokens));
  if (tokens.empty() || tokenizer_->TokenBytes(tokens[0], false) == " ")
    return absl::OkStatus();
  int32_t node = root;
  for (const Token token : tokens) node = AddChild(node, token);
  nodes_[static_cast<size_t>(node)].is_whole = true;
  return absl::OkStatus();
}

int32_t HotwordBias::AddChild(int32_t node, Token token) {
  const int32_t found = FindChild(node, token);
  if (found >= 0) return found;
  const int32_t child = static_cast<int32_t>(nodes_.size());
  Node& parent = nodes_[static_cast<size_t>(node)];
  const int32_t depth = parent.depth + 1;
  const std::pair<Token, int32_t> edge(token, child);
  parent.children.insert(
      std::lower_bound(parent.children.begin(), parent.children.end(), edge),
      edge);
  nodes_.push_back({.children = {}, .depth = depth});
  return child;
}

int32_t HotwordBias::FindChild(int32_t node, Token token) const {
  const auto& children = nodes_[static_cast<size_t>(node)].children;
  const auto at = std::lower_bound(children.begin(), children.end(),
                                   std::pair<Token, int32_t>(token, 0));
  return at != children.end() && at->first == token ? at->second : -1;
}

void HotwordBias::AddChildren(int32_t node,
                              std::vector<Adjustment>* bonuses) const {
  for (const auto& [token, child] : nodes_[static_cast<size_t>(node)].children)
    bonuses->push_back({.token = token, .bias = bonus_});
}

namespace {

void SortTokens(std::vector<Adjustment>* bonuses) {
  const auto token_less = [](const Adjustment& a, const Adjustment& b) {
    return a.token < b.token;
  };
  std::sort(bonuses->begin(), bonuses->end(), token_less);
  bonuses->erase(std::unique(bonuses->begin(), bonuses->end(),
                             [](const Adjustment& a, const Adjustment& b) {
                               return a.token == b.token;
                             }),
                 bonuses->end());
}

}  // namespace

void HotwordBias::ListBeginnings() {
  for (const bool is_between : {false, true}) {
    AddChildren(kAnywhere, &beginnings_[is_between]);
    if (is_between) AddChildren(kBetweenWords, &beginnings_[is_between]);
    SortTokens(&beginnings_[is_between]);
  }
  size_t most = 0;
  for (size_t i = 2; i < nodes_.size(); ++i)
    most = std::max(most, nodes_[i].children.size());
  max_bonuses_ = beginnings_[1].size() + HotwordState::kMaxMatches * most;
}

HotwordState HotwordBias::Advance(const HotwordState& state,
                                  Token token) const {
  HotwordState next;
  if (!IsWord(token)) return next;
  const auto follow = [&](int32_t node) {
    const int32_t child = FindChild(node, token);
    if (child >= 0 && next.num_matches < HotwordState::kMaxMatches)
      next.matches[static_cast<size_t>(next.num_matches++)] = child;
  };
  for (int32_t i = 0; i < state.num_matches; ++i)
    follow(state.matches[static_cast<size_t>(i)]);
  follow(kAnywhere);
  if (state.is_between_words) follow(kBetweenWords);
  const std::string_view text = tokenizer_->TokenBytes(token, false);
  next.is_between_words = text.empty() || !MayBeOfWord(text.back());
  return next;
}

absl::Span<const Adjustment> HotwordBias::Bonuses(
    const HotwordState& state, std::vector<Adjustment>* scratch) const {
  const std::vector<Adjustment>& beginnings =
      beginnings_[state.is_between_words];
  if (state.num_matches == 0) return beginnings;
  scratch->assign(beginnings.begin(), beginnings.end());
  for (int32_t i = 0; i < state.num_matches; ++i)
    AddChildren(state.matches[static_cast<size_t>(i)], scratch);
  SortTokens(scratch);
  return *scratch;
}

int32_t HotwordBias::NumBegun(const HotwordState& state) const {
  return state.num_matches == 0
             ? 0
             : nodes_[static_cast<size_t>(state.matches[0])].depth;
}

int32_t HotwordBias::NumWhole(const HotwordState& state) const {
  for (int32_t i = 0; i < state.num_matches; ++i) {
    const Node& node =
        nodes_[static_cast<size_t>(state.matches[static_cast<size_t>(i)])];
    if (node.is_whole) return node.depth;
  }
  return 0;
}

absl::StatusOr<std::optional<HotwordBias>> MakeHotwordBias(
    const SpeechTokens& tokens, const Tokenizer& tokenizer,
    std::string_view hotwords, float bonus) {
  if (hotwords.empty() || bonus == 0.0f) return std::nullopt;
  SPECINFER_ASSIGN_OR_RETURN(
      HotwordBias bias,
      HotwordBias::Create(tokens, tokenizer, hotwords, bonus));
  return std::optional<HotwordBias>(std::move(bias));
}

}  // namespace specinfer
