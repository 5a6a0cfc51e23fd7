"""What `transcribe` and `bench --transcripts` promise. Most need whisper-tiny.en in MODELS and clips/jfk.wav in DATA.

usage: transcribe_test.py [unittest options] SPECINFER TEXT_MODEL MODELS DATA
"""
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

DATA, MODELS, TEXT_MODEL, SPECINFER = (sys.argv.pop() for _ in range(4))
MODEL = pathlib.Path(MODELS or "/nothing") / "whisper-tiny.en"
SPEECH = pathlib.Path(DATA or "/nothing") / "clips" / "jfk.wav"
SAID = ("and so my fellow americans ask not what your country can do for you ask what you can do for your country")
VOICE_ACTIVITY = MODEL.parent / "silero_vad_16k.safetensors"
needs_model = unittest.skipUnless(MODEL.exists() and SPEECH.exists(),
                                  f'no whisper-tiny.en in SPECINFER_MODELS ("{MODELS}") or no clips/jfk.wav in '
                                  f'SPECINFER_DATA ("{DATA}")')


def run(*arguments, **environment):
    return subprocess.run([SPECINFER, *map(str, arguments)], input="", text=True, capture_output=True, timeout=240,
                          env={**os.environ, **environment})


def transcribe(*arguments):
    return run("transcribe", "-m", MODEL, *arguments)


def wav(samples, rate=16000, num_channels=1):
    data = struct.pack(f"<{len(samples)}h", *samples)
    form = struct.pack("<HHIIHH", 1, num_channels, rate, rate * num_channels * 2, num_channels * 2, 16)
    return (b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data"
            + struct.pack("<I", len(data)) + data)


def words(text):
    return re.sub(r"[^a-z ]", "", text.lower()).strip()


class Transcribe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def assert_one_line_error(self, result, *parts):
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("specinfer: "), result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)

    def succeed(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def test_wrong_files_are_named_before_a_model_is_loaded(self):
        whole = wav([0, 1000, -1000] * 2000)
        for name, content, part in (("absent.wav", None, "No such file"), ("empty.wav", b"", "cannot be read"),
                                    ("silent.wav", wav([]), "no sound"), ("text.wav", b"What is said.", "cannot be read"),
                                    ("cut.wav", whole[:len(whole) // 2], "cut short")):
            path = self.folder / name if content is None else self.write(name, content)
            self.assert_one_line_error(run("transcribe", "-m", "nothing", path), name, part)

    def test_models_of_text_are_refused(self):
        path = self.write("sound.wav", wav([0, 1000] * 2000))
        listed = self.write("list", "sound.wav\twords\n")
        self.assert_one_line_error(run("transcribe", "-m", TEXT_MODEL, path), "model of speech")
        self.assert_one_line_error(run("bench", "-m", TEXT_MODEL, "--transcripts", listed), "model of speech")

    def test_outputs_exclude_each_other(self):
        path = self.write("sound.wav", wav([0, 1000] * 2000))
        self.assert_one_line_error(run("transcribe", "--json", "--srt", path), "--json", "--srt", "--vtt")
        self.assert_one_line_error(run("transcribe", "--srt", path, path), "one FILE")
        self.assert_one_line_error(run("transcribe"), "FILE")

    def test_absent_models_say_where_they_were_sought(self):
        path = self.write("sound.wav", wav([0, 1000] * 2000))
        result = run("transcribe", "-m", "whisper-none", path, SPECINFER_MODELS=str(self.folder))
        self.assert_one_line_error(result, "whisper-none", str(self.folder))

    def test_lists_of_transcripts_name_the_wrong_line(self):
        path = self.write("list", "a.wav\tone\nnothing here\n")
        self.assert_one_line_error(run("bench", "-m", TEXT_MODEL, "--transcripts", path), "line 2")

    @needs_model
    def test_text_is_what_is_said(self):
        self.assertEqual(words(self.succeed(transcribe(SPEECH))), SAID)

    @needs_model
    def test_models_are_found_by_the_name_of_their_folder(self):
        result = run("transcribe", "-m", "whisper-tiny.en", SPEECH, SPECINFER_MODELS=MODELS)
        self.assertEqual(words(self.succeed(result)), SAID)

    @needs_model
    def test_several_files_have_a_header_each(self):
        lines = self.succeed(transcribe(SPEECH, SPEECH)).splitlines()
        self.assertEqual([lines[0], lines[2]], [f"==> {SPEECH} <=="] * 2)
        self.assertEqual(lines[1], lines[3])

    @needs_model
    def test_json_has_the_promised_keys(self):
        path = self.folder / "out.json"
        self.assertEqual(self.succeed(transcribe(SPEECH, "--json", "-o", path)), "")
        file, = json.loads(path.read_text())
        self.assertEqual(list(file), ["file", "text", "language", "audio_seconds", "speech_seconds", "seconds",
                                      "real_time_factor", "tokens", "passes", "encode_seconds", "decode_seconds", "segments"])
        self.assertEqual(words(file["text"]), SAID)
        self.assertEqual((file["file"], file["language"], file["audio_seconds"]), (str(SPEECH), "en", 11))
        self.assertAlmostEqual(file["real_time_factor"], file["seconds"] / 11)
        self.assertLessEqual(file["encode_seconds"] + file["decode_seconds"], file["seconds"] + 1e-3)
        self.assertGreater(file["tokens"], 20)
        self.assertEqual("".join(segment["text"] for segment in file["segments"]).strip(), file["text"])
        for segment in file["segments"]:
            self.assertLessEqual(segment["start"], segment["end"])
        self.assertLessEqual(file["segments"][-1]["end"], 11)

    @needs_model
    @unittest.skipUnless(VOICE_ACTIVITY.exists(), "no silero_vad_16k.safetensors in SPECINFER_MODELS")
    def test_voice_activity_leaves_silence_out(self):
        content = SPEECH.read_bytes()
        start = content.index(b"data") + 8
        samples = struct.unpack(f"<{(len(content) - start) // 2}h", content[start:])
        path = self.write("late.wav", wav([0] * 16000 * 40 + list(samples)))
        for weights in (VOICE_ACTIVITY, "silero-vad"):
            result = run("transcribe", "-m", MODEL, "--json", "--voice-activity", weights, path, SPECINFER_MODELS=MODELS)
            file, = json.loads(self.succeed(result))
            self.assertEqual(words(file["text"]), SAID)
            self.assertEqual(file["audio_seconds"], 51)
            self.assertLess(file["speech_seconds"], 12.5)
            self.assertGreater(file["segments"][0]["start"], 39)
            self.assertLessEqual(file["segments"][-1]["end"], 51)
        silent = self.write("silent.wav", wav([0] * 16000 * 40))
        self.assertEqual(self.succeed(transcribe("--voice-activity", VOICE_ACTIVITY, silent)), "\n")
        listed = self.write("list.tsv", f"late.wav\t{SAID}\n")
        output = self.succeed(run("bench", "-m", MODEL, "--transcripts", listed, "--repeat", 1, "--json", "-",
                                  "--voice-activity", VOICE_ACTIVITY))
        for row in map(json.loads, output.splitlines()):
            self.assertEqual(row["word_error_rate"], 0)
            self.assertLess(row["speech_seconds"], 12.5)

    @needs_model
    def test_wrong_files_of_voice_activity_are_named(self):
        for weights, part in ((SPEECH, "jfk.wav"), ("whisper-tiny.en", "whisper-tiny.en"), ("nothing", "nothing")):
            result = run("transcribe", "-m", MODEL, "--voice-activity", weights, SPEECH, SPECINFER_MODELS=MODELS)
            self.assert_one_line_error(result, part)

    @needs_model
    def test_subtitles_have_times(self):
        srt = self.succeed(transcribe(SPEECH, "--srt"))
        self.assertRegex(srt, r"\A1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n\S.*\n\n")
        vtt = self.succeed(transcribe(SPEECH, "--vtt"))
        self.assertRegex(vtt, r"\AWEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:\d\d\.\d{3}\n\S.*\n\n")

    @needs_model
    def test_words_have_times(self):
        lines = self.succeed(transcribe(SPEECH, "--words")).splitlines()
        matches = [re.fullmatch(r"\[00:00:(\d\d\.\d{3}) -> 00:00:(\d\d\.\d{3})\] (\S+)", line) for line in lines]
        self.assertNotIn(None, matches, lines)
        self.assertEqual(words(" ".join(match[3] for match in matches)), SAID)
        file, = json.loads(self.succeed(transcribe(SPEECH, "--words", "--json")))
        listed = [word for segment in file["segments"] for word in segment["words"]]
        self.assertEqual([(float(match[1]), float(match[2])) for match in matches],
                         [(word["start"], word["end"]) for word in listed])
        for segment in file["segments"]:
            self.assertEqual("".join(word["text"] for word in segment["words"]), segment["text"])
        plain, = json.loads(self.succeed(transcribe(SPEECH, "--json")))
        self.assertNotIn("words", plain["segments"][0])

    @needs_model
    def test_the_text_is_the_same_whoever_guesses(self):
        for options in (("--strategy", "off"), ("--strategy", "ngram"), ("--strategy", "early-exit"),
                        ("--draft", MODEL), ("--draft", MODEL, "--strategy", "tree")):
            self.assertEqual(words(self.succeed(transcribe(*options, SPEECH))), SAID, options)

    def test_strategies_are_checked_before_a_model_is_loaded(self):
        sound = self.write("sound.wav", wav([0, 1000] * 2000))
        for options, part in ((("--strategy", "tree"), "--draft"), (("--strategy", "luck"), "early-exit")):
            self.assert_one_line_error(run("transcribe", "-m", "nothing", *options, sound), part)

    @needs_model
    def test_options_reach_the_model(self):
        whole = json.loads(self.succeed(transcribe(SPEECH, "--json", "--no-timestamps")))[0]
        self.assertEqual([(s["start"], s["end"]) for s in whole["segments"]], [(0, 11)])
        for options in (["--float"], ["--language", "english"], ["--previous-text", "--seed", 7], ["--threads", 1]):
            self.assertEqual(words(self.succeed(transcribe(SPEECH, *options))), SAID, options)
        # What was said before, and words to expect, set the style.
        style = "all is written in lower case, no points, my fellow americans"
        for options in (["--prompt", style], ["--hotwords", style, "--hotword-bias", 0]):
            text = self.succeed(transcribe(SPEECH, *options))
            self.assertTrue(text.startswith("and so my fellow americans"), (options, text))

    @needs_model
    def test_hotwords_are_heard_where_they_nearly_are(self):
        plain = self.succeed(transcribe(SPEECH))
        self.assertEqual(self.succeed(transcribe(SPEECH, "--hotwords", "Kubernetes, Siobhan, Wojciech")), plain)
        self.assertIn("Amerikans", self.succeed(transcribe(SPEECH, "--hotwords", "Amerikans", "--hotword-bias", 15)))
        self.assertEqual(words(self.succeed(transcribe(SPEECH, "--best-of", 3))), SAID)
        for option, value in (("--hotword-bias", 21), ("--best-of", 65)):
            self.assert_one_line_error(transcribe(SPEECH, option, value), option[2:].replace("-", "_"))

    @needs_model
    def test_unknown_languages_are_refused(self):
        self.assert_one_line_error(transcribe(SPEECH, "--language", "klingon"), "klingon")

    @needs_model
    def test_two_channels_give_the_same_text(self):
        content = SPEECH.read_bytes()
        start = content.index(b"data") + 8
        samples = struct.unpack(f"<{(len(content) - start) // 2}h", content[start:])
        path = self.write("stereo.wav", wav([sample for sample in samples for _ in range(2)], num_channels=2))
        self.assertEqual(self.succeed(transcribe(path)), self.succeed(transcribe(SPEECH)))

    @needs_model
    def test_bench_counts_wrong_words(self):
        (self.folder / "speech.wav").symlink_to(SPEECH)
        wrong = SAID.replace("country", "County", 1) + " thank you"
        path = self.write("list.tsv", f"speech.wav\t{SAID}\n\nspeech.wav\t{wrong}\n")
        output = self.succeed(run("bench", "-m", MODEL, "--transcripts", path, "--repeat", 2, "--json", "-"))
        rows = [json.loads(line) for line in output.splitlines()]
        self.assertEqual([row["file"] for row in rows], ["speech.wav", "speech.wav", "all"])
        self.assertEqual({row["what"] for row in rows}, {"transcripts"})
        self.assertEqual([row["words"] for row in rows], [22, 24, 46])
        self.assertEqual([row["word_error_rate"] for row in rows], [0, 3 / 24, 3 / 46])
        self.assertEqual([rows[1][key] for key in ("substitutions", "deletions", "insertions")], [1, 2, 0])
        for row in rows:
            self.assertAlmostEqual(row["real_time_factor"], 1e-3 * row["milliseconds"] / row["audio_seconds"])
            self.assertLessEqual(row["milliseconds_min"], row["milliseconds"])
            self.assertLessEqual(row["milliseconds"], row["milliseconds_max"])
            self.assertIs(row["same_text"], True)
            for key in ("model", "threads", "backend", "cpu"):
                self.assertIn(key, row)
        table = self.succeed(run("bench", "-m", MODEL, "--transcripts", path, "--repeat", 1)).splitlines()
        self.assertEqual([line.split()[0] for line in table], ["file", "speech.wav", "speech.wav", "all"])

    def test_streams_are_of_one_file_and_have_no_subtitles(self):
        path = self.write("a.wav", wav([0] * 100))
        self.assert_one_line_error(transcribe("--stream", path, path), "one FILE")
        self.assert_one_line_error(transcribe("--stream", "--srt", path), "--stream")
        self.assertNotEqual(transcribe("--real-time", path).returncode, 0)

    @needs_model
    def test_streams_tell_final_texts(self):
        lines = self.succeed(transcribe("--stream", SPEECH)).splitlines()
        said = words("".join(line.split("]", 1)[1] for line in lines))
        self.assertEqual(said, SAID)

    @needs_model
    def test_streams_tell_events(self):
        output = self.succeed(transcribe("--stream", "--json", "--words", SPEECH))
        events = [json.loads(line) for line in output.splitlines()]
        kinds = [event["event"] for event in events]
        self.assertEqual((kinds[0], kinds[-2:]), ("begin", ["end", "done"]))
        self.assertIn("partial", kinds)
        for event in events:
            if event["event"] == "partial":
                self.assertTrue(event["text"].startswith(event["stable"]))
            if event["event"] == "final":
                self.assertEqual("".join(word["text"] for word in event["words"]), event["text"])
                self.assertLessEqual(event["start"], event["end"])

    @needs_model
    def test_streams_read_standard_input(self):
        samples = SPEECH.read_bytes()[44:]
        result = subprocess.run([SPECINFER, "transcribe", "-m", MODEL, "--stream", "-"], input=samples,
                                capture_output=True, timeout=240)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"your country", result.stdout)

    @needs_model
    def test_interrupt_ends_a_stream_that_waits(self):
        process = subprocess.Popen([SPECINFER, "transcribe", "-m", MODEL, "--stream", "--json", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(bytes(32000))
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 130)
        self.assertEqual(process.stderr.read().decode(), "specinfer: stopped by Ctrl-C\n")
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()

    @needs_model
    def test_interrupt_stops_with_status_130(self):
        process = subprocess.Popen([SPECINFER, "transcribe", "-m", MODEL, *[SPEECH] * 200], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(errors.decode(), "specinfer: stopped by Ctrl-C\n")


unittest.main()
