"""Screen: what should not be learned is left out, and the report says why."""
