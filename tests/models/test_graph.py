"""Layers use the methods of a graph; only the graph names operators."""

import ast
from pathlib import Path

import onnx
import pytest

import lilliput.models
from lilliput.models import GPTSettings, RecurrentSettings, build
from lilliput.models.graph import Graph

FILES = sorted(Path(lilliput.models.__path__[0]).rglob("*.py"))
SETTINGS = [
    GPTSettings(shape=shape, layers=1, width=16, heads=1, ngrams=2, ngram_rows=5)
    for shape in ("gpt2", "llama", "modern")
] + [RecurrentSettings(kind=kind, width=4) for kind in ("lstm", "gru")]


def operators_of(model_settings, bits):
    graph = Graph(bits)
    build(model_settings, 5, 8).emit(graph)
    return {node.op_type for node in graph.model().graph.node}


@pytest.fixture(scope="module")
def operators():
    """ONNX's operators, and those of onnxruntime that networks use."""
    used = {name for model_settings in SETTINGS for bits in (8, 32) for name in operators_of(model_settings, bits)}
    assert {"GroupQueryAttention", "FastGelu", "QuickGelu", "MatMulNBits", "LSTM", "GRU"} <= used
    return used | {schema.name for schema in onnx.defs.get_all_schemas()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_the_graph_names_operators(path, operators):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {node.value for node in nodes if isinstance(node, ast.Constant)} & operators
    assert bool(named) == (path.name == "graph.py"), named
