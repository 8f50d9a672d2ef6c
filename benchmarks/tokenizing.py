"""How fast, and in how much memory, a large text becomes a token file: one core and all, in a process of its own.

    python benchmarks/tokenizing.py [--text english-novels.txt.gz] [--megabytes 1000] [--kinds gpt2 bpe]

Without `--megabytes` the text is taken as it is. With it, a text of that size is made of it: its paragraphs again and
again, in another order each time. Memory is the largest resident set of the whole process, PyTorch included, which
training would load as well. One core means that the process is pinned to one. The vocabulary of gpt2 is looked for in
LILLIPUT_DATA.
"""

import argparse
import gzip
import itertools
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lilliput.tokenizers.settings import Kind
from record import RESULTS, read_record, write_record

CORES = ("one", "all")


def measure(kind: Kind, text: Path, folder: Path) -> dict[str, Any]:
    import torch  # noqa: F401 - its memory counts

    from lilliput.corpus import SplitSettings, divide, find_file, open_large, survey
    from lilliput.data.encoding import encode_stream, spread_sample
    from lilliput.tokenizers import train

    imported = peak_megabytes()
    times = [time.perf_counter()]
    large = open_large([text])
    found = survey(large)
    parts = divide(large, found, SplitSettings())
    times.append(time.perf_counter())
    if kind == "gpt2":
        tokenizer = train(kind, "", ranks=find_file("gpt2.tiktoken"))
    else:
        sample = spread_sample(parts.training_pieces(), parts.characters)
        tokenizer = train(kind, sample, normalize=["nfc"])
    times.append(time.perf_counter())
    used = time.process_time()
    encoded = encode_stream(
        parts.training_pieces(), tokenizer, folder / "training.npy", text=found.sha256, characters=parts.characters
    )
    times.append(time.perf_counter())
    megabytes = (found.bytes - len(parts.validation.encode())) / 1e6
    seconds = [later - earlier for earlier, later in itertools.pairwise(times)]
    return {
        "megabytes": round(found.bytes / 1e6, 1),
        "characters": found.characters,
        "training tokens": encoded.tokens,
        "vocabulary": tokenizer.vocab_size,
        "survey: seconds": round(seconds[0], 1),
        "survey: MB/s": round(found.bytes / 1e6 / seconds[0], 1),
        "tokenizer: seconds": round(seconds[1], 1),
        "encoding: seconds": round(seconds[2], 1),
        "encoding: CPU seconds": round(time.process_time() - used, 1),
        "encoding: MB/s": round(megabytes / seconds[2], 1),
        "peak resident MB": round(peak_megabytes()),
        "of these after the imports": round(imported),
    }


def peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def run(kind: str, text: Path, cores: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", kind, "--text", str(text), "--folder", folder, "--cores", cores]
        return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def enlarge(source: Path, target: Path, megabytes: int) -> None:
    data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    paragraphs = data.split(b"\n\n")
    left = megabytes * 1_000_000
    with target.open("wb") as file:
        for seed in range(1, sys.maxsize):
            random.Random(seed).shuffle(paragraphs)
            part = b"\n\n".join(paragraphs) + b"\n\n"
            file.write(part[:left] if len(part) < left else part[: part.rfind(b"\n", 0, left) + 1])
            left -= len(part)
            if left <= 0:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="default: english-novels.txt.gz in the first folder of LILLIPUT_DATA")
    parser.add_argument("--megabytes", type=int, help="make a text of this size of it")
    parser.add_argument("--kinds", nargs="+", default=["gpt2", "bpe"])
    parser.add_argument("--cores", choices=CORES, nargs="+", default=["one", "all"])
    parser.add_argument("--out", type=Path, default=RESULTS / "tokenizing.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        if arguments.cores == ["one"]:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(measure(arguments.child, arguments.text, arguments.folder)))
        return
    data = os.environ.get("LILLIPUT_DATA", ".").split(os.pathsep)[0]
    source = arguments.text or Path(data, "english-novels.txt.gz")
    with tempfile.TemporaryDirectory() as folder:
        text = source
        if arguments.megabytes:
            text = Path(folder, f"{source.name.split('.')[0]}-{arguments.megabytes}.txt")
            # In a process of its own: Linux counts the memory of this one to the largest of its children's.
            making = multiprocessing.Process(target=enlarge, args=(source, text, arguments.megabytes))
            making.start()
            making.join()
        found = {}
        for kind in arguments.kinds:
            for cores in arguments.cores:
                found[f"{kind}, {cores} core{'s' * (cores == 'all')}"] = run(kind, text, cores)
                print(kind, cores, json.dumps(found[f"{kind}, {cores} core{'s' * (cores == 'all')}"]), flush=True)
        write(arguments.out, text.name, found)


def write(path: Path, text: str, found: dict[str, Any]) -> None:
    """Put the figures beside those of other texts that the file holds already."""
    texts = read_record(path).get("texts", {})
    report = {
        "benchmark": "tokenizing",
        "command": "python benchmarks/tokenizing.py [--megabytes 1000 --cores all --kinds gpt2]",
        "unit": "MB (10^6) of the text in UTF-8, unpacked; wall seconds; resident set of the whole process in MB",
        "texts": texts | {text: texts.get(text, {}) | found},
    }
    write_record(path, report)


if __name__ == "__main__":
    main()
