"""The bundled models on SVAMP, divided and undivided: accuracy with interval, tokens.

    python benchmarks/svamp.py SVAMP.json [--limit 50]

SVAMP.json is the original file (Patel et al., 2021; arkilpatel/SVAMP). It was never trained on.
Answers are compared as numbers; a question that the solver refuses counts as wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from langgraph_decompose.evals.end_to_end import compare, read_svamp


def main() -> None:
    """Measure `direct` and `dag` on the first items and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--limit", type=int, default=50)
    args = parser.parse_args()
    found = compare(read_svamp(args.file, args.limit))
    for strategy, answers in found.answers.items():
        share, count = found.accuracy[strategy], len(answers)
        print(
            f"{strategy:8} {sum(a.right for a in answers)} of {count} right "
            f"(95 %: {share.low:.1%} to {share.high:.1%}), "
            f"{sum(a.split for a in answers)} split, "
            f"{sum(a.answer is None for a in answers)} refused, "
            f"{sum(a.tokens for a in answers) / count:.0f} tokens a question"
        )
    gain = found.difference
    print(f"dag - direct: {gain.value:+.1%} (95 %: {gain.low:+.1%} to {gain.high:+.1%})")


if __name__ == "__main__":
    main()
