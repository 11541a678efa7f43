"""Cheap first: three quick answers, and a plan only where they disagree.

    python examples/ladder.py

The same ladder works with any models; a rung may name a solver of its own, such as
`Rung("cot", samples=3, solver="openai:gpt-5-mini")`.
"""

from langgraph_decompose import Rung, create_decomposition_graph

graph = create_decomposition_graph(
    "bundled",
    strategy="escalate",
    ladder=[Rung("direct", samples=3), Rung("dag", samples=1)],
)

for question in (
    "What is 12 * 11?",
    "Tom buys 2 coats for $90 each and 5 caps for $12 each. Tom pays with a $300 note. "
    "How much change does Tom get?",
):
    result = graph.invoke({"question": question})
    print(result["answer"])
    for rung in result["trace"]["rungs"]:
        said = f"{rung['votes']} of {rung['samples']} agree"
        print(f"  {rung['strategy']}: {said}, {sum(u['calls'] for u in rung['usage'])} calls")
