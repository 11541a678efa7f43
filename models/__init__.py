"""Models: the GGUF chat model, model references, and the bundled weights."""
