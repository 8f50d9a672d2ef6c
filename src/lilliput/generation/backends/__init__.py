"""Backends that run a model one token at a time: torch, onnxruntime, or a recorded CUDA graph."""
