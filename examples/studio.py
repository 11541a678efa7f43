"""The graph that `langgraph dev` opens (see langgraph.json); the server adds the checkpointer."""

from langgraph_decompose import create_decomposition_graph

graph = create_decomposition_graph()
