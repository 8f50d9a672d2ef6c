"""Tokens per second of writing, beside llama.cpp and Hugging Face's transformers, at equal shape and threads.

    pip install xllamacpp gguf transformers
    python benchmarks/decode.py [--cases small large lstm] [--rounds 5] [--machine "two cores"]

All sides have the same random weights in Llama's shape and take the likeliest token every time; where they are exact
they have to write the same tokens. Each side is a process of its own that has loaded its model, and they take turns,
round after round; figures are medians, and so are the ratios, which are taken within a round. llama.cpp is that of the
wheel `xllamacpp`, asked through its server object, all texts in one request. So its time has a request and an answer in
it, but neither is large beside the tokens. It is timed as its users have it; for the comparison of tokens it writes
once with keys and values in single precision and without flash attention. Nothing of ours is in a peer's process.
`whole` is ours through `Writer.stream`, with top-k and top-p, text and all. Goes to `results/decode.json`.
"""

import argparse
import importlib.metadata
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record import RESULTS, write_record

RESULT = RESULTS / "decode.json"
SMALL = {"width": 384, "layers": 6, "heads": 6, "feed_forward": 1024, "context": 256, "vocabulary": 65}
LARGE = {"width": 512, "layers": 8, "heads": 8, "feed_forward": 1376, "context": 512, "vocabulary": 50257}
LSTM = {"embedding": 64, "width": 128, "context": 64, "vocabulary": 65}
CASES: dict[str, dict[str, Any]] = {"small": SMALL, "large": LARGE, "lstm": LSTM}
NEW = {("small", 1): 255, ("small", 32): 255, ("large", 1): 128, ("large", 32): 32, ("lstm", 1): 4000}
SIDES = {
    "small": ("ours", "ours 8 bits", "whole", "llama.cpp", "llama.cpp q8_0", "transformers", "torch"),
    "large": ("ours", "ours 8 bits", "llama.cpp", "llama.cpp q8_0", "transformers", "torch"),
    "lstm": ("ours", "torch"),
}
ONE_BY_ONE = ("whole", "transformers", "torch")
"""Sides that are not asked for several texts at once."""
FIRST = 1
GGML_TYPE_F32 = 0
SPECIAL = 3
"""Tokens that llama.cpp takes for marks, and leaves out of a text."""
PAIRS = {
    "ours": ("llama.cpp", "transformers", "torch"),
    "ours 8 bits": ("llama.cpp q8_0", "transformers"),
    "whole": ("ours",),
}
"""What is compared round by round: the machine is not as fast in one minute as in the next."""
EXACT = ("ours", "transformers", "torch")
"""Sides whose tokens are compared as they are timed."""


def network(case: str) -> Any:
    """Return the model of a case, with random weights."""
    import torch

    from lilliput.models import GPTSettings, RecurrentSettings, build

    shape = CASES[case]
    torch.manual_seed(0)
    if case == "lstm":
        settings: Any = RecurrentSettings(embedding=shape["embedding"], width=shape["width"])
    else:
        sizes = {key: shape[key] for key in ("width", "layers", "heads", "feed_forward")}
        settings = GPTSettings(shape="llama", tied=True, **sizes)
    model = build(settings, shape["vocabulary"], shape["context"]).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.startswith("blocks.") and value.ndim == 2:
                value.mul_(5)  # or the embedding of a token would be all that the next one depends on
    return model


def write_gguf(case: str, quantized: bool, path: Path) -> None:
    """Write the same weights as a file of llama.cpp's."""
    import gguf
    from gguf import GGMLQuantizationType, quants

    path.parent.mkdir(exist_ok=True)
    shape, weights = CASES[case], {name: value.detach().numpy() for name, value in network(case).named_parameters()}
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(shape["context"])
    writer.add_embedding_length(shape["width"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["feed_forward"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape["width"] // shape["heads"])
    writer.add_vocab_size(shape["vocabulary"])
    writer.add_tokenizer_model("llama")
    tokens = ["<unk>", "<s>", "</s>", *(f"t{number}" for number in range(shape["vocabulary"] - SPECIAL))]
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([2, 3, 3, *[1] * (len(tokens) - SPECIAL)])
    names = {"attention.query": "attn_q", "attention.key": "attn_k", "attention.value": "attn_v"}
    names |= {"attention.output": "attn_output", "feed_forward.gate": "ffn_gate", "feed_forward.up": "ffn_up"}
    names |= {"feed_forward.down": "ffn_down", "attention_norm": "attn_norm", "feed_forward_norm": "ffn_norm"}

    def add(name: str, value: Any) -> None:
        if quantized and value.ndim == 2:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", quants.quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", value)

    add("token_embd", weights["embedding.weight"])
    add("output_norm", weights["norm.weight"])
    for layer in range(shape["layers"]):
        for ours, theirs in names.items():
            value = weights[f"blocks.{layer}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                # llama.cpp turns neighbours, we the halves of a head.
                halves = value.reshape(shape["heads"], 2, -1, value.shape[1])
                value = halves.swapaxes(1, 2).reshape(value.shape)
            add(f"blk.{layer}.{theirs}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_state(case: str, path: Path) -> None:
    """Write the same weights by the names that transformers has for them."""
    from safetensors.torch import save_file

    names = {"attention.query": "self_attn.q_proj", "attention.key": "self_attn.k_proj"}
    names |= {"attention.value": "self_attn.v_proj", "attention.output": "self_attn.o_proj"}
    names |= {"feed_forward.gate": "mlp.gate_proj", "feed_forward.up": "mlp.up_proj"}
    names |= {"feed_forward.down": "mlp.down_proj", "attention_norm": "input_layernorm"}
    names |= {"feed_forward_norm": "post_attention_layernorm", "embedding": "embed_tokens"}
    state = {}
    for name, value in network(case).named_parameters():
        theirs = name.replace("blocks.", "layers.")
        for one, other in names.items():
            theirs = theirs.replace(f"{one}.weight", f"{other}.weight")
        state[f"model.{theirs}"] = value.detach()
    save_file(state, path)


def prepare(case: str, folder: Path) -> None:
    """Write what the peers load."""
    write_gguf(case, False, folder / "exact.gguf")
    write_gguf(case, True, folder / "rounded.gguf")
    write_state(case, folder / "model.safetensors")


# The sides. Each returns a function that writes so many texts of so many tokens, and returns the tokens of the first.

Writing = Callable[[int, int], list[int]]


def ours(case: str, bits: int, texts: int) -> Writing:
    from lilliput.generation import OnnxBackend, load_engine

    engine = load_engine(network(case), print, bits, texts)
    assert engine is not None
    return lambda texts, new: _greedy(OnnxBackend(engine, texts), texts, new)


def eager(case: str) -> Writing:
    from lilliput.generation import TorchBackend

    model = network(case)
    return lambda texts, new: _greedy(TorchBackend(model, texts), texts, new)


def _greedy(backend: Any, texts: int, new: int) -> list[int]:
    latest = [int(backend.prefill(row, [FIRST]).argmax()) for row in range(texts)]
    written = [latest[0]]
    for _ in range(new - 1):
        latest = backend.decode(latest).argmax(1).tolist()
        written.append(latest[0])
    return written


def whole(case: str) -> Writing:
    from lilliput import tokenizers
    from lilliput.generation.settings import SampleSettings
    from lilliput.writer import Writer

    tokenizer = tokenizers.train("char", "".join(chr(65 + number) for number in range(CASES[case]["vocabulary"] - 16)))
    assert tokenizer.vocab_size == CASES[case]["vocabulary"]
    writer = Writer(network(case), tokenizer, SampleSettings(temperature=0.8, top_k=50, top_p=0.95), fast=True)
    return lambda texts, new: [piece.token or 0 for piece in writer.stream("A", max_tokens=new)]


def llama_cpp(case: str, model: Path, texts: int, exact: bool = False) -> Writing:
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.n_ctx = texts * (NEW[case, texts] + 16)
    settings.n_parallel = texts
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads()
    settings.warmup = True
    if exact:
        settings.cache_type_k = settings.cache_type_v = GGML_TYPE_F32
        settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(settings)

    def write(texts: int, new: int) -> list[int]:
        request = {"prompt": [[FIRST]] * texts, "n_predict": new, "temperature": 0.0, "ignore_eos": True}
        answer = server.handle_completions(request | {"stream": False, "cache_prompt": False})
        answer = json.loads(answer) if isinstance(answer, (str, bytes)) else answer
        written = [[int(number) + SPECIAL for number in choice["text"].split("t")[1:]] for choice in answer["choices"]]
        assert len(written) == texts and answer["usage"]["completion_tokens"] == new, answer["usage"]
        return written[0]

    return write


def transformers(case: str, weights: Path) -> Writing:
    import torch
    from safetensors.torch import load_file
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = CASES[case]
    config = LlamaConfig(
        vocab_size=shape["vocabulary"],
        hidden_size=shape["width"],
        intermediate_size=shape["feed_forward"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        max_position_embeddings=shape["context"],
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        attention_bias=False,
        eos_token_id=None,
    )
    peer = LlamaForCausalLM(config).eval()
    missing = peer.load_state_dict(load_file(weights), strict=False)
    assert not missing.unexpected_keys and set(missing.missing_keys) <= {"lm_head.weight"}, missing
    peer.tie_weights()

    def write(texts: int, new: int) -> list[int]:
        ids = torch.full((texts, 1), FIRST)
        with torch.inference_mode():
            found = peer.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False)
        return [int(token) for token in found[0, 1:]]

    return write


def threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))


def serve(side: str, case: str, texts: int, folder: Path) -> None:
    """Load a side's model, then write once for every line that comes in."""
    logging.disable(logging.ERROR)
    began = time.perf_counter()
    made: dict[str, Callable[[], Writing]] = {
        "ours": lambda: ours(case, 32, texts),
        "ours 8 bits": lambda: ours(case, 8, texts),
        "whole": lambda: whole(case),
        "llama.cpp": lambda: llama_cpp(case, folder / "exact.gguf", texts),
        "llama.cpp exact": lambda: llama_cpp(case, folder / "exact.gguf", texts, exact=True),
        "llama.cpp q8_0": lambda: llama_cpp(case, folder / "rounded.gguf", texts),
        "transformers": lambda: transformers(case, folder / "model.safetensors"),
        "torch": lambda: eager(case),
    }
    write = made[side]()
    started = time.perf_counter() - began
    new = NEW[case, texts]
    first = write(texts, new)
    # What a library prints goes elsewhere.
    answers = os.fdopen(int(os.environ["ANSWERS"]), "w")
    print(json.dumps({"start": round(started, 3), "tokens": first}), file=answers, flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        write(texts, new)
        print(json.dumps(texts * new / (time.perf_counter() - began)), file=answers, flush=True)


class Side:
    """A process that has loaded one side's model."""

    def __init__(self, side: str, case: str, texts: int, folder: Path) -> None:
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", side, case, str(texts), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            env=os.environ | {"ANSWERS": str(writing)},
            text=True,
        )
        os.close(writing)
        self.answers = os.fdopen(reading)
        line = self.answers.readline()
        if not line:
            raise SystemExit(f"{side} did not start: python {__file__} --serve {side!r} {case} {texts} {folder}")
        self.facts = json.loads(line)
        self.rates: list[float] = []

    def measure(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rates.append(json.loads(self.answers.readline()))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def compare(case: str, texts: int, rounds: int) -> dict[str, Any]:
    """Let all sides of a case write in turn."""
    names = [side for side in SIDES[case] if texts == 1 or side not in ONE_BY_ONE]
    with tempfile.TemporaryDirectory() as work:
        if case != "lstm":
            subprocess.run([sys.executable, __file__, "--prepare", case, work], check=True)
        sides = {name: Side(name, case, texts, Path(work)) for name in names}
        tokens = {name: side.facts["tokens"] for name, side in sides.items() if name in EXACT}
        if "llama.cpp" in sides:
            side = Side("llama.cpp exact", case, texts, Path(work))
            tokens["llama.cpp"] = side.facts["tokens"]
            side.close()
    for _ in range(rounds):
        for side in sides.values():
            side.measure()
    exact = {name: [token for token in written if token >= SPECIAL] for name, written in tokens.items()}
    figures, ratios = {}, {}
    for name, others in PAIRS.items():
        for other in others:
            if name in sides and other in sides:
                rounds_of_both = zip(sides[name].rates, sides[other].rates, strict=True)
                ratios[f"{name} / {other}"] = round(statistics.median(one / two for one, two in rounds_of_both), 3)
    for name, side in sides.items():
        side.close()
        figures[name] = {
            "tokens_per_second": round(statistics.median(side.rates), 1),
            "from": round(min(side.rates), 1),
            "to": round(max(side.rates), 1),
        }
        if name.startswith("ours"):
            figures[name]["start_seconds"] = side.facts["start"]
        print(f"{case:6} {texts:3} {name:16}", figures[name], flush=True)
    print("      medians of the ratios of each round:", ratios)
    same = {name: _same(tokens, exact["ours"]) for name, tokens in exact.items() if name != "ours"}
    print("      the same tokens as ours, from the beginning:", same, flush=True)
    row = {"case": case, "texts": texts, "new_tokens": NEW[case, texts], "figures": figures}
    return row | {"ratios": ratios, "same_tokens": same}


def _same(tokens: list[int], wanted: list[int]) -> float:
    """Return the share of the tokens up to the first difference, which rounding may make late in a text."""
    pairs = list(zip(tokens, wanted, strict=False))
    return round(next((place for place, (one, other) in enumerate(pairs) if one != other), len(pairs)) / len(wanted), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--machine")
    parser.add_argument("--prepare", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        side, case, texts, folder = arguments.serve
        serve(side, case, int(texts), Path(folder))
        return
    if arguments.prepare:
        prepare(arguments.prepare[0], Path(arguments.prepare[1]))
        return
    rows = [compare(case, texts, arguments.rounds) for case, texts in NEW if case in arguments.cases]
    versions = {name: importlib.metadata.version(name) for name in ("onnxruntime", "xllamacpp", "transformers")}
    command = f"python benchmarks/decode.py --rounds {arguments.rounds}"
    report = {"command": command, "machine": arguments.machine, "rounds": arguments.rounds}
    report |= {"threads": threads(), "versions": versions, "rows": rows}
    write_record(RESULT, report)


if __name__ == "__main__":
    main()
