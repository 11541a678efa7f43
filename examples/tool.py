"""The decomposition as a tool: the agent decides itself which questions are worth splitting.

python examples/tool.py
"""

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph_decompose import create_decomposition_tool

SEATS = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"


class Scripted(GenericFakeChatModel):
    """Stands in for your chat model, so that this runs offline."""

    def bind_tools(self, tools, **kwargs):
        """A scripted model needs no tools."""
        return self


call = {"name": "decompose_question", "args": {"question": SEATS}, "id": "1"}
model = Scripted(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("180 seats.")]))
agent = create_agent(model, tools=[create_decomposition_tool(solver="bundled")])

messages = agent.invoke({"messages": [("user", SEATS)]})["messages"]
found = messages[-2]
print("Tool:", found.content)
for line in found.artifact["plan"]:
    print(f"  #{line['id']} {line['text']}")
print("Agent:", messages[-1].content)
