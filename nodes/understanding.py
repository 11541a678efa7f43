"""Understanding first: the core question and the useful facts, before anything is solved.

DUP, "Deeply Understanding the Problems" (Zhong et al., arXiv 2404.14963): what is really
asked, then what of the problem bears on it, then the answer with both in view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import BudgetExhaustedError, describe_error, must_be_raised
from ..models.references import resolve_model
from ..prompts import Prompts, load_prompts
from .calls import Call
from .events import Event
from .problem import Problem
from .replies import Reply, whole_text
from .session import Limits
from .steps import Steps, as_runnable
from .usage import UsageRow, add_usage

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.runnables import Runnable

_MOST_CHARS = 4_000


def understanding_node(
    model: Any,
    *,
    prompts: str | Path | Prompts | None = None,
    limits: Limits | None = None,
) -> Runnable[Any, dict[str, Any]]:
    """A LangGraph node that finds the core question and the useful facts.

    All later models see them as part of the problem, except those trained for this project,
    whose prompts have no place for them. It writes `asked`, `usage` and `warnings`, and
    `spent` if the budget ends it; your own state needs a field for each. If a call fails, the
    question stays as it was, with a warning.

    Args:
        model: A model reference, chat model, Runnable or compiled graph that writes words.
        prompts: Folder whose files replace the package's prompts of the same name.
        limits: Budget for the question and timeout for a call.

    Raises:
        UserError: If the model only writes expressions.
    """
    found = resolve_model(model, "solver")
    texts = load_prompts(prompts)
    found.must_write_words("dup needs a solver that writes in words;", "name another --solver")

    def steps(state: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        problem, usage = Problem.of(state), list[UsageRow]()
        try:
            core = yield from _ask("dup_core", {"problem": str(problem)}, usage)
            facts = yield from _ask("dup_facts", {"problem": str(problem), "core": core}, usage)
        except Exception as error:
            if must_be_raised(error):
                raise
            usage += getattr(error, "usage", ())
            reason = describe_error(error)["message"]
            warning = f"the question is asked without its core and facts: {reason}"
            warnings = [*state.get("warnings", []), warning]
            return {
                "warnings": warnings,
                "usage": add_usage(state.get("usage", []), usage),
                **({"spent": True} if isinstance(error, BudgetExhaustedError) else {}),
            }
        yield Event("understood", {"core": core, "facts": facts})
        hints = texts["dup_hints"].messages({"core": core, "facts": facts})[-1]
        return {
            "asked": replace(problem, hints=hints["content"]).asked,
            "usage": add_usage(state.get("usage", []), usage),
        }

    def _ask(prompt: str, fields: dict[str, str], usage: list[UsageRow]) -> Steps[str]:
        call = Call("solver", found, texts[prompt].messages(fields), name=f"solver {prompt}")
        reply: Reply = yield call
        text = whole_text(reply, "the reply")  # An error tells what was taken.
        usage.append(reply.usage)
        return text[:_MOST_CHARS].strip()

    return as_runnable("understanding", steps, limits)
