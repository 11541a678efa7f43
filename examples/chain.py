"""The whole graph as a Runnable in a LangChain chain, and the events of a run.

python examples/chain.py
"""

from langchain_core.runnables import RunnableLambda
from langgraph_decompose import create_decomposition_graph

graph = create_decomposition_graph()
chain = (
    RunnableLambda(lambda name: {"question": f"{name} has 7 boxes with 9 pens each. "
                                             f"How many pens does {name} have?"})
    | graph
    | RunnableLambda(lambda result: f"{result['answer']} ({result['status']})")
)  # fmt: skip
print(chain.batch(["Ben", "Zoe"]))

for event in graph.stream({"question": "What is 12 * 11?"}, stream_mode="custom"):
    print(event["type"])
