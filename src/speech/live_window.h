// What is said in a window of live sound, heard again and again as it grows.
#ifndef SPECINFER_SRC_SPEECH_LIVE_WINDOW_H_
#define SPECINFER_SRC_SPEECH_LIVE_WINDOW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "src/speech/agreed_text.h"
#include "src/speech/hotword_bias.h"
#include "src/speech/live_sound.h"
#include "src/speech/spoken_language.h"
#include "src/speech/transcript.h"
#include "src/speech/window_decoder.h"
#include "src/speech/window_segments.h"

namespace specinfer {

struct LiveTextOptions {
  std::string language;  // as TranscriptionOptions, as are those below
  SpeechTask task = SpeechTask::kTranscribe;
  std::string initial_prompt;
  std::string hotwords;
  float hotword_bias = 0.0f;
  int32_t best_of = 1;
  uint64_t seed = 1;
  bool has_word_times = false;  // of final texts
  // What was heard last is expected of the next text, unless this is kOff.
  // Whoever expects so much is seldom wrong for long, so it is not kAuto.
  Strategy strategy = Strategy::kNgram;
};

// Frames are those of the stretch of sound. The window begins with what became
// final before, which is carried: the model goes on from it, as a short
// utterance is misunderstood alone. Then comes what is not final yet.
//
// One text at a time: BeginPartial or BeginFinal, Work until it is done, then
// TakePartial or TakeFinal. Not thread-safe.
class LiveWindow {
 public:
  // `decoder` must outlive it, and is its alone meanwhile.
  // Errors: INVALID_ARGUMENT (language), FAILED_PRECONDITION (words of a model
  // whose alignment heads nobody names), RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<LiveWindow>> Create(
      WindowDecoder& decoder, const LiveTextOptions& options);
  ~LiveWindow() { decoder_.Abandon(); }

  int32_t max_frames() const { return decoder_.max_frames(); }
  int64_t begin() const { return begin_; }
  bool carries() const { return !carried_.empty(); }
  // Begins the window here, and carries nothing.
  void BeginAt(int64_t frame);
  // Of another stretch of sound.
  void Reset();

  // Whether the decoder's context has room for another partial text: it goes on
  // from all that is carried or agreed.
  bool HasRoom() const;
  // The text of [first_frame, end_frame), of which partial texts were heard
  // since the last final one. BeginPartial REQUIRES: HasRoom().
  // REQUIRES: begin() <= first_frame < end_frame.
  void BeginPartial(int64_t first_frame, int64_t end_frame);
  void BeginFinal(int64_t first_frame, int64_t end_frame);
  // After DEADLINE_EXCEEDED the same call goes on; after any other error the
  // text is lost.
  absl::Status Work(LiveSound& sound, const PassControl& control);

  // Times are seconds of the stretch. False: it says nothing new. Of the text,
  // `stable_length` bytes are what later ones will keep.
  bool TakePartial(Segment* segment, size_t* stable_length);
  // What is carried from now on, too. Returns where the next text begins: that
  // is this text's own beginning where the model heard nothing in it because of
  // what was carried, which is then dropped.
  int64_t TakeFinal(std::vector<Segment>* segments);
  // Of a final text that is lost.
  void Forget();

  const WindowTimes& times() const { return decoder_.times(); }

 private:
  enum class Stage : uint8_t { kEncode, kFindLanguage, kDecode };

  LiveWindow(WindowDecoder& decoder, const LiveTextOptions& options,
             SpokenLanguage language);
  void Begin(int64_t first_frame, int64_t end_frame, int64_t num_encoded);
  absl::Status Encode(LiveSound& sound, const PassControl& control);
  absl::Status FindLanguage(const PassControl& control);
  void MakeRequest();
  void Carry(absl::Span<const Token> tokens, size_t num_segments);

  WindowDecoder& decoder_;
  const LiveTextOptions options_;
  SpokenLanguage language_;
  std::vector<Token> hotwords_, previous_;
  std::optional<HotwordBias> hotword_bias_;

  int64_t begin_ = 0;
  std::vector<Token> carried_;  // text and timestamps
  size_t num_carried_segments_ = 0;
  double last_word_end_ = 0.0;
  // Since the last final text.
  AgreedText agreed_;
  std::vector<Token> heard_;  // the last partial text, timestamps included

  // The text in work.
  bool is_final_ = false;
  Stage stage_ = Stage::kEncode;
  int64_t first_frame_ = 0;
  FrameWindow window_;
  std::vector<float> frames_;  // [num_encoded_, mels]
  int32_t num_encoded_ = 0;
  std::vector<Token> sampled_;  // what the model goes on from
  WindowRequest request_;
  const DecodedWindow* decoded_ = nullptr;
  WindowSegments split_;  // of a final text
};

}  // namespace specinfer

#endif  // SPECINFER_SRC_SPEECH_LIVE_WINDOW_H_
