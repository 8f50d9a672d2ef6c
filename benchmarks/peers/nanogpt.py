"""nanoGPT in a copy of a checkout: its data, its training program with a few words replaced, and its network."""

import importlib
import pickle
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lilliput.models import Cache, Model

SEED = "torch.manual_seed(1337 + seed_offset)"
"""Where its source fixes the seed."""
IN_FULL = "ctx = nullcontext() if device_type == 'cpu' else"
"""Where its source chooses single precision on a processor."""
IN_HALF = "ctx = torch.amp.autocast(device_type='cpu', dtype=torch.bfloat16) if device_type == 'cpu' else"


def copy_checkout(
    checkout: Path, folder: Path, dataset: str, parts: Mapping[str, np.ndarray], vocab_size: int | None = None
) -> None:
    """Copy a checkout into a new folder, with the tokens `train` and `val` of a data set.

    Without `vocab_size` it takes the size of GPT-2's vocabulary.
    """
    shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(".git"))
    data = folder / "data" / dataset
    data.mkdir(exist_ok=True)
    for name, ids in parts.items():
        ids.astype(np.uint16).tofile(data / f"{name}.bin")
    if vocab_size is not None:
        (data / "meta.pkl").write_bytes(pickle.dumps({"vocab_size": vocab_size}))


def training_command(
    folder: Path, arguments: Sequence[str], *, seed: int | None = None, bfloat16: bool = False
) -> list[str]:
    """Return the command that trains in a copy, which is the command's working folder.

    It runs a second copy of `train.py`: with another seed, and on a processor in bfloat16, where these are asked for.
    """
    source = (folder / "train.py").read_text(encoding="utf-8")
    if seed is not None:
        assert SEED in source, "this checkout of nanoGPT sets its seed elsewhere"
        source = source.replace(SEED, f"torch.manual_seed({seed})")
    if bfloat16:
        assert IN_FULL in source, "this checkout of nanoGPT chooses its number format elsewhere"
        source = source.replace(IN_FULL, IN_HALF)
    (folder / "changed.py").write_text(source, encoding="utf-8")
    return [sys.executable, "changed.py", *arguments]


def step_seconds(output: str) -> list[float]:
    """Return the seconds of each step, from what the training program prints with `--log_interval=1`."""
    return [float(found) / 1000 for found in re.findall(r"^iter \d+: .*time ([\d.]+)ms", output, re.MULTILINE)]


class Network(Model):
    """nanoGPT's network as a model that our evaluation can score; it reads whole texts only."""

    def __init__(self, network: Any, vocab_size: int, context: int) -> None:
        super().__init__()
        self.network = network
        self.vocab_size = vocab_size
        self.context = context

    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        parts = self.network.transformer
        x_BTD = parts.wte(ids_BT) + parts.wpe(torch.arange(ids_BT.shape[1], device=ids_BT.device))
        for block in parts.h:
            x_BTD = block(x_BTD)
        features_BTD: Tensor = parts.ln_f(x_BTD)
        return features_BTD

    def head(self, features_BTD: Tensor) -> Tensor:
        logits_BTV: Tensor = self.network.lm_head(features_BTD)
        return logits_BTV

    def new_cache(self, batch: int) -> Cache:
        raise NotImplementedError("nanoGPT has no cache")


def load_network(folder: Path, checkpoint: str) -> Network:
    """Return the network of a checkpoint, `checkpoint` being its path in a copy; its class is that of the copy."""
    sys.path.insert(0, str(folder))
    module = importlib.import_module("model")
    state = torch.load(folder / checkpoint, weights_only=False, map_location="cpu")
    network = module.GPT(module.GPTConfig(**state["model_args"]))
    # A compiled network keeps its weights under another name.
    network.load_state_dict({key.removeprefix("_orig_mod."): value for key, value in state["model"].items()})
    return Network(network, state["model_args"]["vocab_size"], state["model_args"]["block_size"])
