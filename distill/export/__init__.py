"""Export: a trained checkpoint becomes GGUF files that say what they were trained for."""
