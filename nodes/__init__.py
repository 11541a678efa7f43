"""The roles, each usable alone in any StateGraph, and what they are made of."""
