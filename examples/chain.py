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

question = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"
for event in graph.stream({"question": question}, stream_mode="custom"):
    print(event["type"])
