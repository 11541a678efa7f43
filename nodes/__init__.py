"""The roles: decomposer, solver and composer, each usable alone in any StateGraph."""
