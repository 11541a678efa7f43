"""Distillation: from a teacher and questions to a small GGUF decomposer.

collect, import, generate -> screen -> train -> export -> check; each step writes a directory
with a manifest, and `decompose distill run RECIPE.yaml` does all of them. The method is that
of Wu et al., "Divide-or-Conquer? Which Part Should You Distill Your LLM?", arXiv 2402.15000.
"""
