"""What runs a model one token at a time: torch, onnxruntime, or a recorded CUDA graph, behind one protocol."""
