#!/usr/bin/env python3
"""Writes the tiny random models beside it: every architecture and element type in a few hundred kilobytes each.

Run from anywhere; the files do not change from run to run. Needs numpy, gguf, safetensors and tokenizers.
"""
import json
import pathlib

import gguf
import numpy
import safetensors.numpy
import tokenizers

FOLDER = pathlib.Path(__file__).resolve().parent
HIDDEN, FEED_FORWARD, CONTEXT, VOCABULARY = 64, 96, 256, 384
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"]
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>'"
          " + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
TURNS = ("{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + (message['role'] | replace('assistant',"
         " 'model')) + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")
TEXT = """The quick brown fox jumps over the lazy dog while the sun is setting over the hills and the river.
There is nothing in the world that the old man would rather do than sit on the bench and tell the children stories.
def main(arguments):
    for index in range(10):
        print("the value of the index is", index, arguments[index])
    return 0
She said that it was the best of times, and then that it was the worst of times; they were both right, weren't they?
int main(void) { for (int i = 0; i < 100; ++i) { sum += values[i]; } return sum; }
In 1984 there were 365 days, 24 hours in each of them and 60 minutes in every hour. It's all the same to me.
"""


def byte_bpe():
    """A byte-level BPE tokenizer with SmolLM's splitting rules, learned from TEXT."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator([TEXT], trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    return tokenizer


def add_byte_bpe(writer, tokenizer, pre):
    document = json.loads(tokenizer.to_str())
    vocabulary = sorted(document["model"]["vocab"], key=document["model"]["vocab"].get)
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in document["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in SPECIALS else 1 for token in vocabulary])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    for name, token in (("pre", 3), ("mid", 4), ("suf", 5)):
        writer.add_uint32(f"tokenizer.ggml.fim_{name}_token_id", token)
    writer.add_chat_template(CHATML)


def add_sentencepiece(writer):
    """A SentencePiece vocabulary like gemma's: byte tokens, then pieces learned from TEXT, best score first."""
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator([TEXT.replace("\n", " ")], tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY - 256 - 6, show_progress=False))
    vocabulary = json.loads(learner.to_str())["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.get)
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    types = [3, 3, 3, 2, 3, 3]
    scores = [-1000.0] * len(tokens)
    tokens += [f"<0x{byte:02X}>" for byte in range(256)] + pieces
    types += [6] * 256 + [1] * len(pieces)
    scores += [-1000.0] * 256 + [-float(rank) for rank in range(len(pieces))]
    assert len(tokens) == VOCABULARY, len(tokens)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TURNS)


class Weights:
    """Random tensors in Hugging Face's layout (rows are outputs; q and k rotate halves), rounded to what is stored."""

    def __init__(self, seed, stored):
        self.random = numpy.random.default_rng(seed)
        self.stored = stored

    def matrix(self, rows, columns, scale=1.0):
        values = self.random.standard_normal((rows, columns)) * scale / numpy.sqrt(columns)
        return round_to(values, self.stored)

    def vector(self, size, mean=0.0, spread=0.1):
        return (mean + spread * self.random.standard_normal(size)).astype(numpy.float32)


def round_to(values, stored):
    values = values.astype(numpy.float32)
    if stored == "F32":
        return values
    if stored == "F16":
        return values.astype(numpy.float16)
    quantized = gguf.quants.quantize(values, gguf.GGMLQuantizationType[stored])
    return gguf.quants.dequantize(quantized, gguf.GGMLQuantizationType[stored])


def rotate_pairs(weights, heads):
    """Reorders the rows of q or k from halves (i, i + half) to neighbours (2i, 2i + 1), as GGUF's llama has them."""
    rows = weights.shape[0]
    return weights.reshape(heads, 2, rows // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def decoder(weights, layers, heads, kv_heads, head_dim, bias=False, head_norms=False, post_norms=False, tied=True,
            norm_mean=1.0):
    """The tensors of a decoder under GGUF's names, q and k not yet permuted."""
    tensors = {"token_embd.weight": weights.matrix(VOCABULARY, HIDDEN, 2.0 if not post_norms else 1.0)}
    norm = lambda size: weights.vector(size, norm_mean)
    for layer in range(layers):
        def put(name, value):
            tensors[f"blk.{layer}.{name}"] = value
        put("attn_norm.weight", norm(HIDDEN))
        for name, rows in (("q", heads * head_dim), ("k", kv_heads * head_dim), ("v", kv_heads * head_dim)):
            put(f"attn_{name}.weight", weights.matrix(rows, HIDDEN, 1.5))
            if bias:
                put(f"attn_{name}.bias", weights.vector(rows, spread=0.5))
        if head_norms:
            put("attn_q_norm.weight", norm(head_dim))
            put("attn_k_norm.weight", norm(head_dim))
        put("attn_output.weight", weights.matrix(HIDDEN, heads * head_dim))
        if post_norms:
            put("post_attention_norm.weight", norm(HIDDEN))
        put("ffn_norm.weight", norm(HIDDEN))
        put("ffn_gate.weight", weights.matrix(FEED_FORWARD, HIDDEN, 1.5))
        put("ffn_up.weight", weights.matrix(FEED_FORWARD, HIDDEN))
        put("ffn_down.weight", weights.matrix(HIDDEN, FEED_FORWARD))
        if post_norms:
            put("post_ffw_norm.weight", norm(HIDDEN))
    tensors["output_norm.weight"] = norm(HIDDEN)
    if not tied:
        tensors["output.weight"] = weights.matrix(VOCABULARY, HIDDEN, 2.0)
    return tensors


def write_gguf(name, architecture, tensors, layers, heads, kv_heads, head_dim, base, add_tokens, stored, more=()):
    writer = gguf.GGUFWriter(FOLDER / f"{name}.gguf", architecture)
    writer.add_name(name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(tensors["token_embd.weight"].shape[1] if stored else HIDDEN * 4)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD if stored else HIDDEN * 4)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(base)
    writer.add_vocab_size(VOCABULARY)
    for add, key, value in more:
        getattr(writer, add)(f"{architecture}.{key}", value)
    add_tokens(writer)
    for tensor_name, value in tensors.items():
        if isinstance(value, tuple):
            writer.add_tensor(tensor_name, value[1], raw_dtype=value[0])
        elif value.ndim == 1 or stored in ("F32", "F16"):
            writer.add_tensor(tensor_name, value)
        else:
            kind = gguf.GGMLQuantizationType[stored]
            writer.add_tensor(tensor_name, gguf.quants.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permuted(tensors, heads, kv_heads):
    return {name: rotate_pairs(value, heads if "attn_q" in name else kv_heads)
            if ".attn_q." in name or ".attn_k." in name else value for name, value in tensors.items()}


HUGGING_FACE_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


def hugging_face_name(name):
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    if name == "output.weight":
        return "lm_head.weight"
    _, layer, kind, ending = name.split(".")
    return f"model.layers.{layer}.{HUGGING_FACE_NAMES[kind]}.{ending}"


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_hugging_face(name, tensors, tokenizer, layers, heads, kv_heads, base):
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    renamed = {hugging_face_name(key): numpy.ascontiguousarray(value) for key, value in tensors.items()}
    names = list(renamed)
    halves = names[:len(names) // 2], names[len(names) // 2:]
    places = {}
    for number, half in enumerate(halves, 1):
        shard = f"model-{number:05d}-of-00002.safetensors"
        safetensors.numpy.save_file({key: renamed[key] for key in half}, folder / shard, {"format": "pt"})
        (folder / shard).chmod(0o644)
        places.update({key: shard for key in half})
    write_json(folder / "model.safetensors.index.json", {
        "metadata": {"total_size": sum(value.nbytes for value in renamed.values())}, "weight_map": places})
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD, "num_hidden_layers": layers, "num_attention_heads": heads,
        "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-5, "rope_theta": base, "rope_scaling": None,
        "max_position_embeddings": CONTEXT, "vocab_size": VOCABULARY, "tie_word_embeddings": False,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2})
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": [2, 0]})
    write_json(folder / "tokenizer_config.json", {"add_bos_token": False, "chat_template": CHATML})
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n")


# Offsets of the half-precision scale and minimum in a block, and the minimum that centres random blocks, in scales.
SCALES = {"Q4_0": (0, None, 0), "Q4_1": (0, 2, -7.5), "Q5_0": (0, None, 0), "Q5_1": (0, 2, -15.5),
          "Q8_0": (0, None, 0), "Q2_K": (80, 82, 1.5), "Q3_K": (108, None, 0), "Q4_K": (0, 2, 7.5),
          "Q5_K": (0, 2, 15.5), "Q6_K": (208, None, 0), "IQ4_NL": (0, None, 0), "IQ4_XS": (0, None, 0)}


def random_blocks(random, kind_name, rows, columns, deviation):
    """Random blocks whose values have about the given standard deviation."""
    kind = gguf.GGMLQuantizationType[kind_name]
    block_elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * columns // block_elements, block_bytes), dtype=numpy.uint8)
    scale_at, minimum_at, centre = SCALES[kind_name]

    def set_scales(scales):
        blocks[:, scale_at:scale_at + 2] = scales.astype(numpy.float16)[:, None].view(numpy.uint8)
        if minimum_at is not None:
            blocks[:, minimum_at:minimum_at + 2] = (
                scales * centre).astype(numpy.float16)[:, None].view(numpy.uint8)

    spread = random.uniform(0.7, 1.3, len(blocks))
    set_scales(spread)
    measured = gguf.quants.dequantize(blocks, kind).std()
    set_scales(spread * deviation / measured)
    return kind, blocks.reshape(rows, columns // block_elements * block_bytes)


def write_quantized(tokenizer):
    random = numpy.random.default_rng(7)
    hidden, heads, kv_heads, head_dim = 256, 4, 1, 64
    kinds = (("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K"),
             ("Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "Q6_K", "Q4_K"))
    tensors = {"token_embd.weight": random_blocks(random, "Q6_K", VOCABULARY, hidden, 0.5)}
    for layer, names in enumerate(kinds):
        rows = (hidden, kv_heads * head_dim, kv_heads * head_dim, hidden, hidden, hidden, hidden)
        weights = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        for weight, num_rows, kind in zip(weights, rows, names):
            tensors[f"blk.{layer}.{weight}.weight"] = random_blocks(random, kind, num_rows, hidden, hidden ** -0.5)
        for norm in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{norm}.weight"] = (1 + 0.1 * random.standard_normal(hidden)).astype(numpy.float32)
    tensors["output_norm.weight"] = (1 + 0.1 * random.standard_normal(hidden)).astype(numpy.float32)
    write_gguf("tiny-quantized", "llama", tensors, 2, heads, kv_heads, head_dim, 10000.0,
               lambda writer: add_byte_bpe(writer, tokenizer, "smollm"), None)


def llama3_factors(head_dim, base, factor, low, high, original_context):
    """Llama 3's table: divides the angles of long waves by `factor`, leaves short ones, blends between."""
    factors = []
    for pair in range(head_dim // 2):
        wavelength = 2 * numpy.pi * base ** (2 * pair / head_dim)
        if wavelength < original_context / high:
            factors.append(1.0)
        elif wavelength > original_context / low:
            factors.append(factor)
        else:
            smooth = (original_context / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return numpy.array(factors, numpy.float32)


def main():
    tokenizer = byte_bpe()
    smollm = lambda writer: add_byte_bpe(writer, tokenizer, "smollm")
    qwen = lambda writer: add_byte_bpe(writer, tokenizer, "qwen2")

    llama = decoder(Weights(1, "F16"), layers=2, heads=4, kv_heads=2, head_dim=16, tied=False)
    write_gguf("tiny-llama", "llama", permuted(llama, 4, 2), 2, 4, 2, 16, 10000.0, smollm, "F16")
    write_hugging_face("tiny-llama-hf", llama, tokenizer, 2, 4, 2, 10000.0)

    llama3 = permuted(decoder(Weights(2, "BF16"), layers=2, heads=4, kv_heads=2, head_dim=16), 4, 2)
    llama3["rope_freqs.weight"] = llama3_factors(16, 500000.0, 8.0, 1.0, 4.0, 64)
    write_gguf("tiny-llama3", "llama", llama3, 2, 4, 2, 16, 500000.0,
               lambda writer: add_byte_bpe(writer, tokenizer, "llama-bpe"), "BF16")

    yarn = permuted(decoder(Weights(3, "F16"), layers=2, heads=4, kv_heads=2, head_dim=16), 4, 2)
    write_gguf("tiny-llama-yarn", "llama", yarn, 2, 4, 2, 16, 10000.0, smollm, "F16",
               [("add_string", "rope.scaling.type", "yarn"), ("add_float32", "rope.scaling.factor", 4.0),
                ("add_uint32", "rope.scaling.original_context_length", 64)])

    qwen2 = decoder(Weights(4, "F16"), layers=2, heads=4, kv_heads=2, head_dim=16, bias=True)
    write_gguf("tiny-qwen2", "qwen2", qwen2, 2, 4, 2, 16, 1000000.0, qwen, "F16")

    qwen3 = decoder(Weights(5, "F16"), layers=2, heads=4, kv_heads=2, head_dim=32, head_norms=True)
    write_gguf("tiny-qwen3", "qwen3", qwen3, 2, 4, 2, 32, 1000000.0, qwen, "F16")

    gemma3 = decoder(Weights(6, "F16"), layers=7, heads=2, kv_heads=1, head_dim=32, head_norms=True, post_norms=True)
    write_gguf("tiny-gemma3", "gemma3", gemma3, 7, 2, 1, 32, 1000000.0, add_sentencepiece, "F16",
               [("add_uint32", "attention.sliding_window", 16)])

    write_quantized(tokenizer)


if __name__ == "__main__":
    main()
