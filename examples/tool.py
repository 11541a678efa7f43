"""The decomposition as a tool: the agent decides itself which questions are worth splitting.

python examples/tool.py
"""

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph_decompose import create_decomposition_tool

CLIPS = "Natalia sold 48 clips in April and half as many in May. How many did she sell altogether?"


class Scripted(GenericFakeChatModel):
    """Stands in for your chat model, so that this runs offline."""

    def bind_tools(self, tools, **kwargs):
        """A scripted model needs no tools."""
        return self


call = {"name": "decompose_question", "args": {"question": CLIPS}, "id": "1"}
model = Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("She sold 72.")]))
agent = create_agent(model, tools=[create_decomposition_tool(solver="bundled")])

messages = agent.invoke({"messages": [("user", CLIPS)]})["messages"]
found = messages[-2]
print("Tool:", found.content)
for line in found.artifact["plan"]:
    print(f"  #{line['id']} {line['text']}")
print("Agent:", messages[-1].content)
