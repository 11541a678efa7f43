"""As middleware: hard user turns are split and solved before the agent answers.

python examples/middleware.py
"""

from langchain.agents import create_agent
from langchain_core.language_models import SimpleChatModel
from langgraph_decompose import DecompositionMiddleware


class Parrot(SimpleChatModel):
    """Stands in for your chat model, so that this runs offline: says what it was told."""

    _llm_type = "parrot"

    def _call(self, messages, *args, **kwargs):
        return "\n".join(m.text for m in messages if m.type == "system") or "Hello!"


# Only messages that ask something with numbers are tried at all.
middleware = DecompositionMiddleware(
    solver="bundled", when=lambda text: "?" in text and any(c.isdigit() for c in text)
)
agent = create_agent(Parrot(), middleware=[middleware])

seats = "A train has 6 cars with 40 seats each. 60 seats are taken. How many seats are free?"
for text in ("Hi there!", seats):
    print(f"{text}\n-> {agent.invoke({'messages': [('user', text)]})['messages'][-1].text}\n")
