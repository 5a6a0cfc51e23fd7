"""What a person at a terminal and a script in a pipe may rely on: verbs, exit statuses, JSON keys, one-line errors.

usage: command_line_test.py [unittest options] SPECINFER MODEL
"""
import html.parser
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MODEL = sys.argv.pop()
SPECINFER = sys.argv.pop()


def run(*arguments, text=None, **environment):
    return subprocess.run([SPECINFER, *map(str, arguments)], input=text if text is not None else "", text=True,
                          capture_output=True, timeout=120, env={**os.environ, **environment})


def generate(*arguments):
    return run("generate", "-m", MODEL, "--raw", "-p", "Once upon a time", *arguments)


STRATEGIES = ("off", "auto", "ngram", "draft", "tree", "early-exit")
HOSTILE = "Once </script><script>alert(1)</script> <!-- <img src=x onerror=alert(1)> \\u003c \u2028 & \"'"


class Scripts(html.parser.HTMLParser):
    """The scripts of a page as (attributes, text), and what the page asks other places for."""
    def __init__(self, page):
        super().__init__()
        self.scripts, self.requests, self.is_inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.requests += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]
        self.is_inside = tag == "script"
        if self.is_inside:
            self.scripts.append((dict(attributes), ""))

    def handle_endtag(self, tag):
        self.is_inside = False

    def handle_data(self, data):
        if self.is_inside:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def assert_one_line_error(self, result, *words):
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("specinfer: "), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def succeed(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_unknown_verb_lists_the_verbs(self):
        self.assert_one_line_error(run("frobnicate"), "chat", "generate", "bench")

    def test_unknown_option_says_where_help_is(self):
        self.assert_one_line_error(run("generate", "--frobnicate"), "--frobnicate", "specinfer generate --help")

    def test_unknown_model_lists_the_models(self):
        self.assert_one_line_error(run("generate", "-m", "nothing", "-p", "x"), "nothing", "smollm2-135m")

    def test_absent_model_says_how_to_get_it(self):
        result = run("generate", "-m", "smollm2-135m", "-p", "x", SPECINFER_MODELS=str(self.folder))
        self.assert_one_line_error(result, "specinfer models get smollm2-135m")

    def test_models_are_found_by_name_in_the_model_folder(self):
        (self.folder / "smollm2-135m-instruct-q4_1.gguf").symlink_to(MODEL)
        folder = str(self.folder)
        self.assertIn(folder, self.succeed(run("models", "path", "smollm2-135m", SPECINFER_MODELS=folder)))
        self.succeed(run("tokenize", "-p", "x", SPECINFER_MODELS=folder))

    def test_damaged_model_names_the_file(self):
        path = self.write("cut.gguf", pathlib.Path(MODEL).read_bytes()[:1000])
        self.assert_one_line_error(run("inspect", "-m", path), "cut.gguf")

    def test_generate_needs_one_prompt(self):
        self.assert_one_line_error(run("generate", "-m", MODEL), "--prompt", "--file")
        self.assert_one_line_error(generate("-f", self.write("prompt", "x")), "not both")

    def test_generate_json_has_the_promised_keys(self):
        answer = json.loads(self.succeed(generate("-n", 5, "--ignore-end", "--json")))
        for key in ("text", "tokens", "prompt_tokens", "prefill_seconds", "decode_seconds", "tokens_per_second", "rounds",
                    "tokens_per_round", "strategy", "finish_reason"):
            self.assertIn(key, answer)
        self.assertEqual(len(answer["tokens"]), 5)
        self.assertEqual(answer["finish_reason"], "max_tokens")

    def test_streamed_text_equals_json_text(self):
        options = ("-n", 12, "--ignore-end", "--temperature", 0.9, "--seed", 7)
        text = json.loads(self.succeed(generate(*options, "--json")))["text"]
        self.assertEqual(self.succeed(generate(*options)), text + "\n")

    def test_text_depends_on_the_seed_alone(self):
        def tokens(seed, threads):
            output = generate("-n", 24, "--ignore-end", "--temperature", 1.5, "--seed", seed, "--threads", threads, "--json")
            return json.loads(self.succeed(output))["tokens"]
        self.assertEqual(tokens(1, 1), tokens(1, 2))
        self.assertNotEqual(tokens(1, 1), tokens(2, 1))

    def test_prompt_of_a_file_equals_prompt_of_the_option(self):
        path = self.write("prompt", "Once upon a time")
        of_file = run("generate", "-m", MODEL, "--raw", "-n", 8, "--ignore-end", "--json", "-f", path)
        of_option = generate("-n", 8, "--ignore-end", "--json")
        self.assertEqual(json.loads(self.succeed(of_file))["tokens"], json.loads(self.succeed(of_option))["tokens"])

    def test_log_probabilities_are_of_the_chosen_token(self):
        answer = json.loads(self.succeed(generate("-n", 3, "--ignore-end", "--json", "--log-probabilities", 2)))
        self.assertEqual([len(row) for row in answer["alternatives"]], [2, 2, 2])
        for value, row in zip(answer["log_probabilities"], answer["alternatives"]):
            self.assertLessEqual(value, 0)
            self.assertGreaterEqual(row[0][1], row[1][1])

    def test_wrong_option_values_are_named(self):
        strategies = "off, auto, ngram, draft, tree, early-exit"
        self.assert_one_line_error(generate("--strategy", "magic"), "magic", strategies)
        self.assert_one_line_error(run("chat", "-m", MODEL, "--strategy", "magic"), "magic", strategies)
        self.assert_one_line_error(run("bench", "-m", MODEL, "--decode", 1, "--strategy", "magic"), "magic", strategies)
        self.assert_one_line_error(generate("--verifier", "magic"), "magic", "match, ratio, without-replacement")
        self.assert_one_line_error(generate("--objective", "magic"), "magic", "speed, energy")
        self.assert_one_line_error(generate("--logit-bias", "x=1"), "TOKEN=BIAS")

    def test_strategies_with_a_draft_ask_for_one(self):
        for strategy in ("draft", "tree"):
            self.assert_one_line_error(generate("--strategy", strategy), strategy, "--draft")
        self.assert_one_line_error(generate("-d", "nothing"), "nothing", "smollm2-135m")

    def test_text_does_not_depend_on_the_strategy(self):
        for temperature in (0, 0.9):
            def tokens(strategy):
                output = generate("-d", MODEL, "--strategy", strategy, "-n", 40, "--ignore-end", "--temperature", temperature,
                                  "--seed", 3, "--json")
                return json.loads(self.succeed(output))["tokens"]
            expected = tokens("off")
            for strategy in STRATEGIES[1:]:
                self.assertEqual(tokens(strategy), expected, (strategy, temperature))

    def test_verifiers_by_ratio_keep_what_a_draft_samples(self):
        for verifier in ("ratio", "without-replacement"):
            options = ("-d", MODEL, "--strategy", "tree", "--verifier", verifier, "--temperature", 0.9, "--seed", 3,
                       "-n", 40, "--ignore-end", "--json")
            answer = json.loads(self.succeed(generate(*options)))
            self.assertEqual(len(answer["tokens"]), 40)
            # A model that is its own draft model guesses right.
            self.assertLess(answer["rounds"], 20)
            self.assertEqual(json.loads(self.succeed(generate(*options)))["tokens"], answer["tokens"])
            self.assert_one_line_error(generate("--strategy", "ngram", "--verifier", verifier, "--temperature", 0.9),
                                       "not sampled")
            _, data, _ = self.explain("--strategy", "tree", "--verifier", verifier, "--temperature", 0.9)
            self.assertEqual(data["verifier"], verifier)

    def test_generate_json_says_what_became_of_the_guesses(self):
        answer = json.loads(self.succeed(generate("-d", MODEL, "--strategy", "draft", "-n", 40, "--ignore-end", "--json")))
        speculation = answer["speculation"]
        self.assertEqual(answer["strategy"], "draft")
        # A model that is its own draft model guesses right.
        self.assertGreater(answer["tokens_per_round"], 1)
        self.assertLess(answer["rounds"], 40)
        for key in ("num_rounds", "num_speculative_rounds", "forward_microseconds", "predicted_gain", "realised_gain",
                    "plain_tokens_per_second", "reached_by_depth", "accepted_by_depth"):
            self.assertIn(key, speculation)
        self.assertGreater(sum(drafter["num_accepted"] for drafter in speculation["drafters"]), 0)
        for drafter in speculation["drafters"]:
            self.assertLessEqual(drafter["num_accepted"], drafter["num_reached"])
            self.assertLessEqual(drafter["num_reached"], drafter["num_proposed"])
        for accepted, reached in zip(speculation["accepted_by_depth"], speculation["reached_by_depth"]):
            self.assertLessEqual(accepted, reached)

    def test_plain_decoding_says_so(self):
        answer = json.loads(self.succeed(generate("--strategy", "off", "-n", 8, "--ignore-end", "--json")))
        self.assertEqual(answer["strategy"], "off")
        self.assertEqual(answer["tokens_per_round"], 1)

    def explain(self, *options):
        path = self.folder / "page.html"
        output = self.succeed(run("generate", "-m", MODEL, "-d", MODEL, "--raw", "-p", HOSTILE, "-n", 40, "--ignore-end",
                                  "--json", "--explain", path, *options))
        page = Scripts(path.read_text())
        attributes, text = page.scripts[0]
        self.assertEqual(attributes, {"type": "application/json", "id": "data"})
        return page, json.loads(text), json.loads(output)

    def test_explain_writes_one_page_that_no_text_can_break(self):
        page, data, _ = self.explain("--strategy", "tree", "--temperature", 1.5)
        self.assertEqual(len(page.scripts), 2)
        self.assertEqual(page.requests, [])
        self.assertEqual(data["prompt"], HOSTILE)

    def test_explain_page_has_every_token_and_every_round(self):
        _, data, answer = self.explain("--strategy", "draft")
        self.assertEqual(len(data["answer"]), len(answer["tokens"]))
        self.assertEqual(len(data["rounds"]), answer["rounds"])
        rounds = [index for _, _, index in data["answer"]]
        self.assertEqual(rounds, sorted(rounds))
        self.assertTrue(any(drafter >= 0 for _, drafter, _ in data["answer"]))
        for round in data["rounds"]:
            self.assertEqual([node[1] for node in round["nodes"][:1]], [-1])
            for place, (piece, parent, _, _, _) in enumerate(round["nodes"]):
                self.assertLess(parent, place)
                self.assertLess(piece, len(data["pieces"]))

    def test_explain_of_plain_decoding_names_no_drafter(self):
        _, data, _ = self.explain("--strategy", "off")
        self.assertEqual({drafter for _, drafter, _ in data["answer"]}, {-1})

    def test_trace_has_rounds_in_order_and_stages_inside_them(self):
        path = self.folder / "trace.json"
        self.succeed(generate("-d", MODEL, "--strategy", "tree", "-n", 40, "--ignore-end", "--trace", path))
        events = json.loads(path.read_text())["traceEvents"]
        self.assertEqual({event["ph"] for event in events}, {"M", "X", "C"})
        rounds = [event for event in events if event.get("cat") == "round"]
        stages = [event for event in events if event.get("cat") == "stage"]
        for first, second in zip(rounds, rounds[1:]):
            self.assertLessEqual(first["ts"] + first["dur"], second["ts"])
        for first, second in zip(stages, stages[1:]):
            self.assertLessEqual(first["ts"] + first["dur"], second["ts"])
        for stage in stages:
            self.assertIn(stage["name"], ("draft", "forward", "verify", "commit"))
            self.assertTrue(any(round["ts"] <= stage["ts"] and stage["ts"] + stage["dur"] <= round["ts"] + round["dur"]
                                for round in rounds), stage)
        self.assertGreaterEqual(sum(round["args"]["tokens"] for round in rounds), 40)
        self.assertIn("reason", rounds[0]["args"])
        for round in rounds:
            tree, num_nodes = round["args"]["tree"], round["args"]["nodes"]
            self.assertEqual({len(tree[key]) for key in ("parents", "accepted", "scores")}, {num_nodes})
            self.assertEqual(tree["parents"][0], -1)
            self.assertEqual(sum(tree["accepted"]), round["args"]["accepted"] + 1)
        counters = [event for event in events if event["ph"] == "C"]
        self.assertEqual({event["name"] for event in counters}, {"tokens/s", "tree nodes"})
        for event in counters:
            self.assertIsInstance(event["args"][event["name"]], float)
        self.assertEqual(sorted(event["ts"] for event in counters), [event["ts"] for event in counters])

    def test_explain_and_trace_name_a_file_that_cannot_be_written(self):
        for option in ("--explain", "--trace"):
            self.assert_one_line_error(generate("-n", 1, "--json", option, self.folder / "no" / "file"), "no/file")

    def test_chat_statistics_show_the_guesses(self):
        output = self.succeed(run("chat", "-m", MODEL, "-d", MODEL, "--strategy", "draft", "-n", 20, "--ignore-end",
                                  text="hello\n/stats\n"))
        self.assertIn("tokens per round", output)
        self.assertIn("guesses kept", output)

    def write_prompts(self):
        lines = [{"id": "a", "user": "one two"}, {"user": "three", "category": "math"},
                 {"turns": ["four five", "six"], "category": "qa"}, {"user": "seven"}]
        return self.write("poems.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")

    def bench_prompts(self, *options):
        output = self.succeed(run("bench", "-m", MODEL, "-d", MODEL, "--prompts", self.write_prompts(), "--max-tokens", 12,
                                  "--repeat", 2, "--json", "-", *options))
        rows = [json.loads(line) for line in output.splitlines()]
        return ([row for row in rows if row["what"] == "prompts"], [row for row in rows if row["what"] == "prompt"])

    def test_bench_prompts_compares_every_strategy_with_off(self):
        rows, answers = self.bench_prompts("--strategies", "off,auto,ngram,draft,tree", "--ids", "--temperature", 0.8)
        self.assertEqual([row["category"] for row in rows[::5]], ["poems", "math", "qa", "all"])
        for row in rows:
            for key in ("model", "draft", "threads", "cpu", "worst_ratio_to_off", "worst_prompt"):
                self.assertIn(key, row)
            self.assertGreater(row["tokens_per_second"], 0)
            self.assertGreaterEqual(row["tokens_per_round"], 1)
            self.assertTrue(row["same_text"])
            self.assertEqual(row["temperature"], 0.8)
            self.assertLessEqual(row["worst_ratio_to_off"], row["ratio_to_off"] * 1.000001)
            if row["strategy"] == "off":
                self.assertAlmostEqual(row["ratio_to_off"], 1)
                self.assertEqual(row["tokens_per_round"], 1)
        ratio = {(row["category"], row["strategy"]): row["ratio_to_off"] for row in rows}
        self.assertAlmostEqual(ratio["all", "draft"], sum(ratio[category, "draft"] for category in ("poems", "math", "qa")) / 3)
        self.assertEqual(len(answers), 4 * 5)
        for place in range(0, 20, 5):
            self.assertEqual({tuple(row["tokens"]) for row in answers[place:place + 5]}, {tuple(answers[place]["tokens"])})
            self.assertEqual(len(answers[place]["all_seconds"]), 2)

    def test_bench_prompts_selects(self):
        def places(*options):
            return [row["index"] for row in self.bench_prompts("--strategies", "off", "--ids", *options)[1]]
        self.assertEqual(places(), [0, 1, 2, 3])
        self.assertEqual(places("--skip", 1, "--limit", 2), [1, 2])
        self.assertEqual(places("--categories", "poems,qa"), [0, 2, 3])
        self.assertEqual(places("--categories", "poems", "--skip", 1), [3])

    def test_bench_prompts_table_reads_well(self):
        path = self.write_prompts()
        output = self.succeed(run("bench", "-m", MODEL, "--prompts", path, "--max-tokens", 4, "--repeat", 1, "--limit", 1,
                                  "--strategies", "off,auto"))
        lines = [line for line in output.splitlines() if line]
        self.assertEqual([line.split()[0] for line in lines[1:]], ["category", "poems", "auto"])
        self.assertNotIn("another text", output)

    def test_bench_prompts_refuses_what_it_cannot_compare(self):
        path = self.write_prompts()

        def bench(*options):
            return run("bench", "-m", MODEL, "--prompts", path, *options)
        self.assert_one_line_error(bench("--strategies", "auto"), "off")
        self.assert_one_line_error(bench("--strategies", "off,tree"), "tree", "--draft")
        self.assert_one_line_error(bench("--strategies", "off,magic"), "magic")
        self.assert_one_line_error(bench("--ids"), "--json")
        self.assert_one_line_error(bench("--categories", "law"), "poems.jsonl", "--categories")
        self.assert_one_line_error(run("bench", "-m", MODEL, "--prompts", self.folder / "none"), "none")
        for line in ("{", "[]", "{}", '{"turns": []}'):
            bad = self.write("bad.jsonl", '{"user": "x"}\n' + line + "\n")
            self.assert_one_line_error(run("bench", "-m", MODEL, "--prompts", bad), "bad.jsonl", "line 2")

    def test_tokenize_takes_and_gives_json(self):
        path = self.write("texts.json", json.dumps(["hello", "", "naïve 🙂"]))
        rows = json.loads(self.succeed(run("tokenize", "-m", MODEL, "-f", path)))
        self.assertEqual(len(rows), 3)
        self.assertEqual(rows[1], [])
        self.assertTrue(all(isinstance(token, int) for row in rows for token in row))

    def test_tokenize_of_no_texts_is_no_rows(self):
        self.assertEqual(json.loads(self.succeed(run("tokenize", "-m", MODEL, "-f", "-", text="[]"))), [])

    def test_tokenize_bytes_takes_invalid_utf8(self):
        path = self.write("bytes", b"a\xff\xc3(\x00b")
        rows = json.loads(self.succeed(run("tokenize", "-m", MODEL, "--bytes", "-f", path)))
        self.assertEqual(len(rows), 1)
        self.assertTrue(rows[0])

    def test_tokenize_refuses_what_is_not_an_array_of_strings(self):
        for content in ("{", '{"a": 1}', "[1]"):
            self.assert_one_line_error(run("tokenize", "-m", MODEL, "-f", self.write("t", content)), str(self.folder))

    def test_inspect_json_has_model_and_memory(self):
        report = json.loads(self.succeed(run("inspect", "-m", MODEL, "--json", "--context", 128)))
        self.assertEqual(report["memory"]["context"], 128)
        self.assertEqual(report["memory"]["file_bytes"], os.path.getsize(MODEL))
        self.assertEqual(report["metadata"]["general.architecture"], "llama")

    def test_inspect_lists_the_tensors(self):
        report = json.loads(self.succeed(run("inspect", "-m", MODEL, "--json")))
        names = [tensor["name"] for tensor in report["tensors"]]
        self.assertIn("token_embd.weight", names)
        self.assertEqual(set(report["tensors"][0]), {"name", "type", "shape", "bytes"})
        self.assertIn("token_embd.weight", self.succeed(run("inspect", "-m", MODEL)))

    def test_inspect_shows_what_a_cache_directory_kept(self):
        folder = self.folder / "measured"
        folder.mkdir()
        inspect = ("inspect", "-m", MODEL, "--cache-directory", folder)
        self.assertIsNone(json.loads(self.succeed(run(*inspect, "--json")))["pass_milliseconds"])
        self.assertIn("nothing", self.succeed(run(*inspect)))
        self.assertEqual(list(folder.iterdir()), [])
        plain = self.succeed(generate("-n", 40, "--ignore-end"))

        kept = self.succeed(generate("-n", 40, "--ignore-end", "--strategy", "off", "--cache-directory", folder))

        self.assertEqual(kept, plain)
        times = json.loads(self.succeed(run(*inspect, "--json")))["pass_milliseconds"]
        self.assertEqual(list(times), ["as the model"])
        self.assertEqual(list(times["as the model"]), ["1", "2", "4", "8", "16", "32", "64"])
        self.assertTrue(all(value > 0 for value in times["as the model"].values()))
        self.assertIn("as the model", self.succeed(run(*inspect)))
        self.assertNotIn("pass_milliseconds", self.succeed(run("inspect", "-m", MODEL, "--json")))

    def test_cache_directory_that_is_not_there_is_a_warning(self):
        result = generate("-n", 40, "--ignore-end", "--cache-directory", self.folder / "none")
        self.succeed(result)
        self.assertIn("cache_directory", result.stderr)
        self.assertTrue(result.stderr.startswith("specinfer: warning: "), result.stderr)

    def test_packed_model_gives_the_same_text(self):
        path = self.folder / "packed"
        self.succeed(run("pack", "-m", MODEL, "-o", path))
        options = ("--raw", "-p", "Once upon a time", "-n", 24, "--ignore-end", "--temperature", 0.9, "--json")
        of_packed = json.loads(self.succeed(run("generate", "-m", path, *options)))
        of_source = json.loads(self.succeed(run("generate", "-m", MODEL, *options)))
        self.assertEqual(of_packed["tokens"], of_source["tokens"])
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["packed"])

    def test_verify_names_what_is_damaged(self):
        path = self.folder / "packed"
        self.succeed(run("pack", "-m", MODEL, "-o", path))
        self.assertIn("hashes fit", self.succeed(run("inspect", "--verify", "-m", path)))
        self.assertIn("no hashes", self.succeed(run("inspect", "--verify", "-m", MODEL)))
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        result = run("inspect", "--verify", "-m", path)
        self.assert_one_line_error(result, "tensor", "hash")
        self.assertEqual(result.returncode, 1)

    def test_pack_refuses_to_write_over_its_source(self):
        path = self.write("model.gguf", pathlib.Path(MODEL).read_bytes())
        self.assert_one_line_error(run("pack", "-m", path, "-o", path), "over itself")
        self.assertEqual(path.read_bytes(), pathlib.Path(MODEL).read_bytes())

    def test_bench_writes_one_object_per_line(self):
        text = self.write("text", "The quick brown fox jumps over the lazy dog. " * 40)
        self.succeed(run("bench", "-m", MODEL, "--decode", 4, "--prefill", 8, "--perplexity", text, "--context", 32, "--load",
                         "--repeat", 2, "--json", self.folder / "rows"))
        rows = {row["what"]: row for row in map(json.loads, (self.folder / "rows").read_text().splitlines())}
        self.assertEqual(set(rows), {"decode", "prefill", "perplexity", "load"})
        for row in rows.values():
            self.assertLessEqual(row["milliseconds_min"], row["milliseconds"])
            self.assertLessEqual(row["milliseconds"], row["milliseconds_max"])
            self.assertIn("cpu", row)
        self.assertGreater(rows["perplexity"]["perplexity"], 1)

    def test_bench_rows_puts_every_time_beside_its_bound(self):
        output = self.succeed(run("bench", "-m", MODEL, "--rows", "1,2,8", "--context", 32, "--decode", 4, "--repeat", 2,
                                  "--json", "-"))
        lines = [json.loads(line) for line in output.splitlines()]
        rows = [line for line in lines if line["what"] == "rows"]
        self.assertEqual([row["rows"] for row in rows], [1, 2, 8])
        self.assertEqual({row["context"] for row in rows}, {32})
        self.assertEqual(rows[0]["ratio_to_one_row"], 1)
        for row in lines:
            self.assertLessEqual(row["milliseconds_min"], row["milliseconds"])
            self.assertLessEqual(row["milliseconds"], row["milliseconds_max"])
            self.assertGreater(row["bandwidth_gbs"], 0)
            self.assertGreater(row["peak_int8_gmacs"], 0)
            self.assertGreater(row["bound_milliseconds"], 0)
            self.assertAlmostEqual(row["bound_fraction"], row["bound_milliseconds"] / row["milliseconds"])
            self.assertIn(row["bound_by"], ("reading", "multiplying"))
            for key in ("model", "cpu", "threads", "backend"):
                self.assertIn(key, row)
        self.assertGreater(rows[2]["float_products"] + rows[2]["int8_products"],
                           7 * (rows[0]["float_products"] + rows[0]["int8_products"]))

    def test_bench_rows_table_has_a_line_per_count_and_the_rates(self):
        output = self.succeed(run("bench", "-m", MODEL, "--rows", "1,4", "--context", 16, "--repeat", 1))
        self.assertEqual([line.split()[0] for line in output.splitlines()[:3]], ["rows", "1", "4"])
        self.assertIn("GB/s read", output)

    def test_bench_rows_refuses_counts_no_pass_has(self):
        for counts in ("0", "1,513", "x"):
            self.assert_one_line_error(run("bench", "-m", MODEL, "--rows", counts), "--rows")

    def test_inspect_measures_the_machine_when_asked(self):
        report = json.loads(self.succeed(run("inspect", "-m", MODEL, "--json", "--measure")))
        self.assertGreater(report["measured"]["bandwidth_gbs"], 0)
        self.assertNotIn("measured", json.loads(self.succeed(run("inspect", "-m", MODEL, "--json"))))

    def test_bench_refuses_a_text_that_is_too_short(self):
        path = self.write("text", "short")
        self.assert_one_line_error(run("bench", "-m", MODEL, "--perplexity", path, "--context", 64), "--context")

    def test_interrupt_stops_the_answer_with_status_130(self):
        process = subprocess.Popen([SPECINFER, "generate", "-m", MODEL, "--raw", "-p", "x", "--ignore-end", "-n", "1000000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        # The tiny model's context may be full before the signal arrives.
        self.assertIn(process.returncode, (0, 130))


unittest.main()
