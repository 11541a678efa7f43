"""The decomposer as one node of a graph of your own, its plan used your way.

python examples/own_graph.py
"""

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph_decompose import decomposer_node
from typing_extensions import TypedDict


class Research(TypedDict, total=False):
    """The state of your graph; the decomposer reads `question` and writes `plan`."""

    question: str
    plan: list[dict[str, Any]]
    notes: list[str]


def look_up(state: Research) -> Research:
    """Your own step: here it only lists what would be searched for."""
    queries = [line["text"] for line in state["plan"]] or [state["question"]]
    return {"notes": [f"search: {query}" for query in queries]}


builder = StateGraph(Research)
builder.add_node("decomposer", decomposer_node())
builder.add_node("look_up", look_up)
builder.add_edge(START, "decomposer")
builder.add_edge("decomposer", "look_up")
builder.add_edge("look_up", END)

result = builder.compile().invoke({"question": "Who is the spouse of the director of Jaws?"})
print("\n".join(result["notes"]))
