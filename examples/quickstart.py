"""Ten lines: the bundled decomposer in front of a solver of your own.

python examples/quickstart.py
"""

from langgraph_decompose import create_decomposition_graph

# The solver may be any chat model: ChatOpenAI(...), "openai:gpt-5-mini", "ollama:qwen3", an
# agent. The bundled one does arithmetic and needs no network.
graph = create_decomposition_graph(solver="bundled")

question = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"
result = graph.invoke({"question": question})

for line in result["answers"]:
    print(f"{line['text']} {line['answer']}")
print("Answer:", result["answer"])
