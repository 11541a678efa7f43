"""Strategies as LangGraph graphs, one file each, and the factory that builds them."""
