// From samples to events and frames nothing allocates after creation.
#include <vector>

#include "gtest/gtest.h"

#include "src/base/memory.h"
#include "src/speech/audio_ring.h"
#include "src/speech/log_mel.h"
#include "src/speech/speech_segmenter.h"
#include "src/speech/voice_activity.h"
#include "tests/base/count_allocations.h"
#include "tests/model/memory_files.h"
#include "tests/speech/recordings.h"
#include "tests/speech/voice_weights.h"

namespace specinfer {
namespace {

TEST(SpeechInput, AllocatesNothingOnceItRuns) {
  Memory memory(0);
  MemoryFiles files;
  files.Put("vad", SafetensorsBytes(MakeVoiceTensors()));
  const auto network = VoiceNetwork::Load("vad", files.reader(), memory);
  ASSERT_TRUE(network.ok()) << network.status();
  VoiceActivity activity = *VoiceActivity::Create(*network, memory);
  SpeechSegmenter segmenter({});
  AudioRing ring = *AudioRing::Create(4096, memory);
  MelStream stream = *MelStream::Create(80, 400, memory);
  LogMel log_mel = *LogMel::Create(80, memory);
  const auto samples = MakeNoise(32000, 1.0);
  std::vector<float> frames(300 * 80), chunk(512);
  const uint64_t used_bytes = memory.used_bytes();
  const long before = num_allocations.load();

  for (size_t begin = 0; begin + 512 <= samples.size(); begin += 512) {
    ring.Push({&samples[begin], 512});
    ring.Pop(absl::MakeSpan(chunk));
    segmenter.Push(activity.Push(chunk));
    stream.Push(chunk);
    stream.CopyWindow(stream.first_frame(), 100,
                      absl::MakeSpan(frames).subspan(0, 100 * 80));
    if (stream.num_frames() % 50 == 0) stream.DropBefore(stream.num_frames());
  }
  segmenter.Finish(32000);
  log_mel.ComputeWindow(samples, 300, absl::MakeSpan(frames));
  activity.Reset();
  stream.Reset();

  EXPECT_EQ(num_allocations.load(), before);
  EXPECT_EQ(memory.used_bytes(), used_bytes);
}

}  // namespace
}  // namespace specinfer
