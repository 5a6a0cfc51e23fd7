#include "src/text/tokenizer_tables.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "flatbuffers/flatbuffers.h"

#include "src/base/status_macros.h"
#include "src/model/model_contents.h"
#include "src/text/sentence_piece.h"
#include "src/text/special_scanner.h"
#include "src/text/tokenizer_tables_generated.h"

namespace specinfer {
namespace {

constexpr uint32_t kVersion = 1;

// The structs are kept as words.
static_assert(sizeof(RankedMerge) == 12 && sizeof(TextSlot) == 8);

template <typename T>
absl::Span<const uint32_t> Words(absl::Span<const T> structs) {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) == 4);
  return {reinterpret_cast<const uint32_t*>(structs.data()),
          structs.size() * sizeof(T) / 4};
}

template <typename T>
absl::Span<const T> View(const flatbuffers::Vector<T>* values) {
  if (values == nullptr) return {};
  return {values->data(), values->size()};
}

template <typename T>
absl::Span<const T> Structs(absl::Span<const uint32_t> words) {
  return {reinterpret_cast<const T*>(words.data()),
          words.size() * 4 / sizeof(T)};
}

class TablesReader {
 public:
  TablesReader(const packed::Tokenizer& from, std::string_view path)
      : from_(from), path_(path) {}

  absl::StatusOr<TokenizerTables> Read() {
    SPECINFER_RETURN_IF_ERROR(ReadSettings());
    SPECINFER_RETURN_IF_ERROR(ReadTexts());
    SPECINFER_RETURN_IF_ERROR(ReadTokenLists());
    SPECINFER_RETURN_IF_ERROR(ReadMerges());
    SPECINFER_RETURN_IF_ERROR(ReadIndex());
    return std::move(to_);
  }

 private:
  absl::Status Refuse(std::string_view what) const {
    return absl::InvalidArgumentError(
        ModelMessage(path_, "the packed tokenizer's ", what));
  }
  bool IsTokenOrNone(int32_t token) const {
    return token >= -1 && token < static_cast<int64_t>(num_tokens_);
  }
  bool IsToken(int32_t token) const {
    return token >= 0 && IsTokenOrNone(token);
  }

  absl::Status ReadSettings();
  absl::Status ReadTexts();
  absl::Status ReadTokenLists();
  absl::Status ReadMerges();
  absl::Status ReadIndex();

  const packed::Tokenizer& from_;
  const std::string_view path_;
  TokenizerTables to_;
  size_t num_tokens_ = 0;
};

absl::Status TablesReader::ReadSettings() {
  Vocabulary& to = to_.vocabulary;
  if (from_.model() > static_cast<int>(TokenizerModel::kSentencePiece) ||
      from_.pre_tokenizer() >
          static_cast<uint32_t>(PreTokenizerKind::kQwen35) ||
      from_.space_prefix() > static_cast<int>(SpacePrefix::kEveryFragment))
    return Refuse("kind does not exist");
  to.model = static_cast<TokenizerModel>(from_.model());
  to.pre_tokenizer = static_cast<PreTokenizerKind>(from_.pre_tokenizer());
  to.space_prefix = static_cast<SpacePrefix>(from_.space_prefix());
  to.adds_bos = from_.adds_bos();
  to.adds_eos = from_.adds_eos();
  to.ignores_merges = from_.ignores_merges();
  return absl::OkStatus();
}

absl::Status TablesReader::ReadTexts() {
  Vocabulary& to = to_.vocabulary;
  const absl::Span<const uint8_t> bytes = View(from_.texts());
  const absl::Span<const uint32_t> ends = View(from_.text_ends());
  const absl::Span<const uint8_t> kinds = View(from_.kinds());
  const absl::Span<const float> scores = View(from_.scores());
  constexpr size_t kMax = std::numeric_limits<int32_t>::max();
  num_tokens_ = ends.size();
  if (ends.empty() || ends.size() >= kMax || bytes.size() >= kMax ||
      !std::is_sorted(ends.begin(), ends.end()) || ends.back() != bytes.size())
    return Refuse("texts do not fit together");
  if (kinds.size() != num_tokens_) return Refuse("kinds are not one per token");
  const auto is_known = [](uint8_t kind) { return kind >= 1 && kind <= 6; };
  if (!std::all_of(kinds.begin(), kinds.end(), is_known))
    return Refuse("kinds hold one that does not exist");
  const bool needs_scores = to.model == TokenizerModel::kSentencePiece;
  if (scores.size() != (needs_scores ? num_tokens_ : 0))
    return Refuse("scores are not one per token");
  const auto is_nan = [](float score) { return std::isnan(score); };
  if (std::any_of(scores.begin(), scores.end(), is_nan))
    return Refuse("scores hold one that is not a number");
  to.texts.Assign({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                  ends);
  to.kinds.resize(num_tokens_);
  std::memcpy(to.kinds.data(), kinds.data(), kinds.size());
  to.scores.assign(scores.begin(), scores.end());
  for (size_t i = 0; i < num_tokens_; ++i) {
    const TokenKind kind = to.kinds[i];
    const bool is_special = kind == TokenKind::kControl ||
                            kind == TokenKind::kUnknown ||
                            kind == TokenKind::kUserDefined;
    if (is_special &&
        to.texts[static_cast<Token>(i)].size() > SpecialScanner::kMaxTextBytes)
      return Refuse("special tokens hold one that is too long");
  }
  return absl::OkStatus();
}

absl::Status TablesReader::ReadTokenLists() {
  Vocabulary& to = to_.vocabulary;
  const absl::Span<const int32_t> bytes = View(from_.byte_tokens());
  const absl::Span<const int32_t> special = View(from_.special_tokens());
  const absl::Span<const int32_t> ends = View(from_.end_of_generation());
  const auto is_listed = [this](int32_t token) { return IsTokenOrNone(token); };
  const auto is_token = [this](int32_t token) { return IsToken(token); };
  if (bytes.size() != to.byte_tokens.size() ||
      special.size() != to.special_tokens.size() ||
      !std::all_of(bytes.begin(), bytes.end(), is_listed) ||
      !std::all_of(special.begin(), special.end(), is_listed) ||
      !std::all_of(ends.begin(), ends.end(), is_token) ||
      !std::is_sorted(ends.begin(), ends.end()))
    return Refuse("lists of tokens do not fit its texts");
  std::copy(bytes.begin(), bytes.end(), to.byte_tokens.begin());
  std::copy(special.begin(), special.end(), to.special_tokens.begin());
  to.end_of_generation.assign(ends.begin(), ends.end());
  if (from_.strip_rules() == nullptr) return absl::OkStatus();
  for (const packed::StripRule* rule : *from_.strip_rules()) {
    if (!IsToken(rule->token()) ||
        (!to.strip_rules.empty() &&
         to.strip_rules.back().token >= rule->token()))
      return Refuse("strip rules do not ascend through its tokens");
    to.strip_rules.push_back({rule->token(), rule->left(), rule->right()});
  }
  return absl::OkStatus();
}

absl::Status TablesReader::ReadMerges() {
  to_.merge_starts = View(from_.merge_starts());
  const absl::Span<const uint32_t> words = View(from_.merges());
  to_.merges = Structs<RankedMerge>(words);
  if (words.size() % 3 != 0 || to_.merge_starts.size() != num_tokens_ + 1 ||
      !std::is_sorted(to_.merge_starts.begin(), to_.merge_starts.end()) ||
      to_.merge_starts.back() != to_.merges.size())
    return Refuse("merges do not fit together");
  for (const RankedMerge& merge : to_.merges) {
    if (!IsToken(merge.merged)) return Refuse("merges make no token");
  }
  return absl::OkStatus();
}

absl::Status TablesReader::ReadIndex() {
  const Vocabulary& vocabulary = to_.vocabulary;
  const absl::Span<const uint32_t> words = View(from_.text_slots());
  to_.text_slots = Structs<TextSlot>(words);
  to_.max_probes = from_.max_probes();
  const size_t num_slots = to_.text_slots.size();
  const bool is_byte_pair = vocabulary.model == TokenizerModel::kBytePair;
  const bool needs_index = !is_byte_pair || vocabulary.ignores_merges;
  if (words.size() % 2 != 0 || (num_slots & (num_slots - 1)) != 0 ||
      (needs_index && num_slots == 0) ||
      to_.max_probes > (num_slots == 0 ? 0 : TextTable::kMaxProbes))
    return Refuse("index of texts does not fit together");
  for (const TextSlot& slot : to_.text_slots) {
    if (slot.token_plus_one > num_tokens_)
      return Refuse("index of texts names no token");
  }
  to_.inner_pairs = View(from_.inner_pairs());
  if (to_.inner_pairs.size() !=
      (is_byte_pair ? 0 : SentencePiece::kNumPairWords))
    return Refuse("pairs of characters do not fit together");
  return absl::OkStatus();
}

}  // namespace

std::vector<uint8_t> WriteTokenizerTables(const Vocabulary& vocabulary,
                                          const TokenizerTables& tables) {
  flatbuffers::FlatBufferBuilder builder(size_t{1} << 20);
  const auto put = [&builder](const auto& values) {
    return builder.CreateVector(values.data(), values.size());
  };
  std::vector<flatbuffers::Offset<packed::StripRule>> rules;
  for (const StripRule& rule : vocabulary.strip_rules) {
    rules.push_back(
        packed::CreateStripRule(builder, rule.token, rule.left, rule.right));
  }
  const auto strip_rules = builder.CreateVector(rules);
  const auto byte_tokens = put(vocabulary.byte_tokens);
  const auto special_tokens = put(vocabulary.special_tokens);
  const auto end_of_generation = put(vocabulary.end_of_generation);
  const std::string_view bytes = vocabulary.texts.bytes();
  const auto texts = builder.CreateVector(
      reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  const auto text_ends = put(vocabulary.texts.ends());
  const auto kinds = builder.CreateVector(
      reinterpret_cast<const uint8_t*>(vocabulary.kinds.data()),
      vocabulary.kinds.size());
  const auto scores = put(vocabulary.scores);
  const auto merge_starts = put(tables.merge_starts);
  const auto merges = put(Words(tables.merges));
  const auto text_slots = put(Words(tables.text_slots));
  const auto inner_pairs = put(tables.inner_pairs);
  packed::TokenizerBuilder to(builder);
  to.add_version(kVersion);
  to.add_model(static_cast<uint8_t>(vocabulary.model));
  to.add_pre_tokenizer(static_cast<uint32_t>(vocabulary.pre_tokenizer));
  to.add_adds_bos(vocabulary.adds_bos);
  to.add_adds_eos(vocabulary.adds_eos);
  to.add_ignores_merges(vocabulary.ignores_merges);
  to.add_space_prefix(static_cast<uint8_t>(vocabulary.space_prefix));
  to.add_byte_tokens(byte_tokens);
  to.add_special_tokens(special_tokens);
  to.add_end_of_generation(end_of_generation);
  to.add_strip_rules(strip_rules);
  to.add_texts(texts);
  to.add_text_ends(text_ends);
  to.add_kinds(kinds);
  to.add_scores(scores);
  to.add_merge_starts(merge_starts);
  to.add_merges(merges);
  to.add_text_slots(text_slots);
  to.add_max_probes(tables.max_probes);
  to.add_inner_pairs(inner_pairs);
  packed::FinishTokenizerBuffer(builder, to.Finish());
  return {builder.GetBufferPointer(),
          builder.GetBufferPointer() + builder.GetSize()};
}

absl::StatusOr<TokenizerTables> ReadTokenizerTables(
    absl::Span<const uint8_t> bytes, std::string_view path) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (bytes.size() < 16 || !packed::VerifyTokenizerBuffer(verifier)) {
    return absl::InvalidArgumentError(
        ModelMessage(path, "the packed tokenizer is no valid FlatBuffer"));
  }
  const packed::Tokenizer* const from = packed::GetTokenizer(bytes.data());
  if (from->version() != kVersion) {
    return absl::UnimplementedError(ModelMessage(
        path, "the packed tokenizer has version ", from->version(),
        ", this library reads ", kVersion, "; pack the model again"));
  }
  return TablesReader(*from, path).Read();
}

}  // namespace specinfer
