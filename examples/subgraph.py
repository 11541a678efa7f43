"""The whole graph as one node of a graph of yours that keeps a conversation.

python examples/subgraph.py
"""

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph_decompose import create_decomposition_graph


def route(state: MessagesState) -> str:
    """Your own rule for what is worth splitting."""
    return "solve" if "?" in state["messages"][-1].text else "chat"


builder = StateGraph(MessagesState)
builder.add_node("chat", lambda _: {"messages": [AIMessage("Ask me something.")]})
builder.add_node("solve", create_decomposition_graph(name="solve"))  # adds one AI message
builder.add_conditional_edges(START, route, ["chat", "solve"])
builder.add_edge("chat", END)
builder.add_edge("solve", END)
graph = builder.compile(checkpointer=InMemorySaver())

thread = {"configurable": {"thread_id": "1"}}
for text in ("Hello!", "Ana has 4 bags with 6 pears each. How many pears does Ana have?"):
    messages = graph.invoke({"messages": [("user", text)]}, thread)["messages"]
print("\n".join(f"{m.type}: {m.text}" for m in messages))
