#!/usr/bin/env python3
"""Makes tokenizer/*.json: small tokenizer.json files of every kind, and what Hugging Face's tokenizers makes of texts.

Run from anywhere, after make_tiny_models.py; the files do not change from run to run. Needs tokenizers and gguf.
"""
import json
import pathlib

import gguf
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from compare_tokenizer import CODE, WORDS, make_lines

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "tokenizer"
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<tool_call>", "</tool_call>"]

TAIL = r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
SPLITS = {
    "llama3": CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+" + TAIL,
    "qwen2": CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+" + TAIL,
    "qwen35": CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+" + TAIL,
}


def byte_level_splitter(kind):
    byte_level = lambda use_regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
    if kind == "gpt2":
        return byte_level(True)
    if kind == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)])
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLITS[kind]), "isolated"), byte_level(False)])


def sample_text():
    return make_lines(None, 400, seed=20) + CODE * 4 + WORDS * 2


def add_tokens(tokenizer):
    tokenizer.add_special_tokens([tokenizers.AddedToken(text, special=True, normalized=False) for text in CONTROL])
    tokenizer.add_tokens([tokenizers.AddedToken(text, special=False, normalized=False) for text in USER_DEFINED])
    return tokenizer


def byte_level(kind):
    tokenizer = tokenizers.Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    tokenizer.pre_tokenizer = byte_level_splitter(kind)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(sample_text(), trainers.BpeTrainer(
        vocab_size=640, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return add_tokens(tokenizer)


def characters(space_prefix):
    """A SentencePiece model as transformers converts it: characters merge, bytes stand for unknown ones."""
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    # Few characters are tokens, so that the others show the bytes that stand for them.
    text = ["".join(character for character in line if character < "\u0180") for line in sample_text()]
    learner.train_from_iterator(text, trainers.BpeTrainer(vocab_size=560, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + pieces
    model = models.BPE(vocab={name: token for token, name in enumerate(names)},
                       merges=[tuple(merge) for merge in learned["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = tokenizers.Tokenizer(model)
    mark = [normalizers.Prepend("\u2581")] if space_prefix else []
    tokenizer.normalizer = normalizers.Sequence(mark + [normalizers.Replace(" ", "\u2581")])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def from_gguf(path, kind):
    """The vocabulary of a GGUF file, split as its kind says."""
    fields = gguf.GGUFReader(path).fields
    strings = lambda key: fields[key].contents()
    tokens = strings("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in strings("tokenizer.ggml.merges")]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab={text: token for token, text in enumerate(tokens)}, merges=merges,
                                                ignore_merges=kind == "llama3"))
    tokenizer.pre_tokenizer = byte_level_splitter(kind)
    types = strings("tokenizer.ggml.token_type")
    for token_type, special in ((3, True), (4, False)):
        added = [tokenizers.AddedToken(text, special=special, normalized=False) for text, its in zip(tokens, types) if its == token_type]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(added)
    return tokenizer


def texts():
    lines = [line[:100] for line in make_lines(None, 50, seed=21)]
    return lines + ["", " ", "  ", "\n", "a", "<|im_start|>user\nHi <tool_call>{}</tool_call><|im_end|>\n", "x <s> y</s>", "  two", "tail  ", "\t\n x\r\n\r\ny"]


def main():
    FOLDER.mkdir(exist_ok=True)
    cases = []
    inputs = texts()

    def record(file, tokenizer):
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in inputs]
        cases.append({"file": file, "ids": ids})

    def record_json(name, tokenizer):
        path = FOLDER / f"{name}.json"
        path.write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n")
        record(f"tokenizer/{name}.json", tokenizer)

    for kind in ["gpt2", "smollm", "llama3", "qwen2", "qwen35"]:
        record_json(kind, byte_level(kind))
    record_json("characters", characters(space_prefix=False))
    record_json("characters-prefix", characters(space_prefix=True))
    for file, kind in [("tiny-llama.gguf", "smollm"), ("tiny-qwen2.gguf", "qwen2"), ("tiny-llama3.gguf", "llama3")]:
        record(file, from_gguf(HERE / file, kind))
    golden = {"texts": inputs, "cases": cases}
    (FOLDER / "golden.json").write_text(json.dumps(golden, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
