"""Check: the release gate, the quality table and the model card."""
