#include "subtitles.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include <nlohmann/json.hpp>

namespace specinfer_cli {
namespace {

using Json = nlohmann::ordered_json;

// Hours take as many digits as they need.
std::string Clock(double seconds, char point) {
  constexpr double kLast = 1e9;
  if (!(seconds > 0)) seconds = 0;
  if (seconds > kLast) seconds = kLast;
  const int64_t milliseconds = std::llround(seconds * 1000);
  char text[40];
  std::snprintf(text, sizeof text, "%02lld:%02d:%02d%c%03d",
                static_cast<long long>(milliseconds / 3600000),
                static_cast<int>(milliseconds / 60000 % 60),
                static_cast<int>(milliseconds / 1000 % 60), point,
                static_cast<int>(milliseconds % 1000));
  return text;
}

std::string Times(const TranscribedSegment& segment, char point) {
  const double end = segment.end > segment.start ? segment.end : segment.start;
  return Clock(segment.start, point) + " --> " + Clock(end, point) + "\n";
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view Stripped(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// A blank line would end the subtitle, and NUL the file for some readers.
std::string OneLine(std::string_view text) {
  std::string line(Stripped(text));
  for (char& c : line) {
    if (IsSpace(c) || c == '\0') c = ' ';
  }
  return line;
}

void Replace(std::string_view from, std::string_view to, std::string* text) {
  size_t place = 0;
  while ((place = text->find(from, place)) != std::string::npos) {
    text->replace(place, from.size(), to);
    place += to.size();
  }
}

Json WordsJson(const std::vector<TranscribedWord>& words) {
  Json list = Json::array();
  for (const TranscribedWord& word : words) {
    list.push_back({{"start", word.start},
                    {"end", word.end},
                    {"probability", word.probability},
                    {"text", word.text}});
  }
  return list;
}

}  // namespace

std::string PlainText(const std::vector<TranscribedSegment>& segments) {
  std::string text;
  for (const TranscribedSegment& segment : segments) text += segment.text;
  return std::string(Stripped(text));
}

std::string WordLines(const std::vector<TranscribedSegment>& segments) {
  std::string lines;
  for (const TranscribedSegment& segment : segments) {
    for (const TranscribedWord& word : segment.words) {
      lines += "[" + Clock(word.start, '.') + " -> " + Clock(word.end, '.') +
               "] " + OneLine(word.text) + "\n";
    }
  }
  return lines;
}

std::string ToSrt(const std::vector<TranscribedSegment>& segments) {
  std::string subtitles;
  int number = 0;
  for (const TranscribedSegment& segment : segments) {
    std::string text = OneLine(segment.text);
    if (text.empty()) continue;
    Replace("-->", "->", &text);
    subtitles +=
        std::to_string(++number) + "\n" + Times(segment, ',') + text + "\n\n";
  }
  return subtitles;
}

std::string ToWebVtt(const std::vector<TranscribedSegment>& segments) {
  std::string subtitles = "WEBVTT\n\n";
  for (const TranscribedSegment& segment : segments) {
    std::string text = OneLine(segment.text);
    if (text.empty()) continue;
    Replace("&", "&amp;", &text);
    Replace("<", "&lt;", &text);
    Replace(">", "&gt;", &text);
    subtitles += Times(segment, '.') + text + "\n\n";
  }
  return subtitles;
}

std::string ToJson(const std::vector<TranscribedFile>& files) {
  Json list = Json::array();
  for (const TranscribedFile& file : files) {
    Json segments = Json::array();
    for (const TranscribedSegment& segment : file.segments) {
      Json& entry = segments.emplace_back(Json{{"start", segment.start},
                                               {"end", segment.end},
                                               {"text", segment.text}});
      if (!segment.words.empty()) entry["words"] = WordsJson(segment.words);
    }
    list.push_back({{"file", file.file},
                    {"text", PlainText(file.segments)},
                    {"language", file.language},
                    {"audio_seconds", file.audio_seconds},
                    {"speech_seconds", file.speech_seconds},
                    {"seconds", file.seconds},
                    {"real_time_factor", file.RealTimeFactor()},
                    {"tokens", file.num_tokens},
                    {"passes", file.num_passes},
                    {"encode_seconds", file.encode_seconds},
                    {"decode_seconds", file.decode_seconds},
                    {"segments", std::move(segments)}});
  }
  // A file's name need not be UTF-8.
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace specinfer_cli
