"""Train: examples in, a student as Hugging Face files out."""
