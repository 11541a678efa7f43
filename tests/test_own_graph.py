"""The exported nodes in a graph, and with a state, of somebody else's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph_decompose import (
    Budget,
    Limits,
    UserError,
    composer_node,
    decomposer_node,
    gate_node,
    solver_node,
    understanding_node,
    verifier_node,
)
from langgraph_decompose.testing import ScriptedChatModel
from pydantic import BaseModel
from typing_extensions import TypedDict

from .conftest import THREAD, always, both

PLAN = "#1 A?\n#2 B?"
PARTS: Any = [{"id": 1, "text": "A?", "needs": []}]


class Notes(TypedDict, total=False):
    """A state of one's own, with a field for all that the nodes tell each other."""

    question: str
    asked: dict[str, Any]
    plan: list[Any]
    plan_source: str
    final: str
    answers: list[Any]
    answer: str | None
    status: str
    usage: list[Any]
    warnings: list[str]
    trace: dict[str, Any]
    spent: bool
    messages: Annotated[list[Any], add_messages]


class Few(TypedDict, total=False):
    """A state with no more than the nodes can't do without."""

    question: str
    plan: list[Any]
    answers: list[Any]
    answer: str | None


def nodes(limits: Limits | None = None) -> dict[str, Any]:
    return {
        "decomposer": decomposer_node(always(PLAN), limits=limits),
        "solver": solver_node(always("solved"), limits=limits),
        "composer": composer_node(always("composed"), limits=limits),
    }


def chain(state: Any, saver: Any = None, **named: Any) -> Any:
    """A graph of nodes, one after the other; a gate that has answered ends it."""
    builder: Any = StateGraph(state)
    for (name, node), following in zip(named.items(), [*list(named)[1:], END], strict=True):
        builder.add_node(name, node)
        if name != "gate":
            builder.add_edge(name, following)
            continue
        ends = {"running": following}
        builder.add_conditional_edges(name, lambda now, ends=ends: ends.get(now["status"], END))
    builder.add_edge(START, next(iter(named)))
    return builder.compile(checkpointer=saver)


def run(how: str, graph: Any, value: Any) -> Any:
    if how == "sync":
        return graph.invoke(value, THREAD)
    return asyncio.run(graph.ainvoke(value, THREAD))


def calls(result: Any) -> dict[str, int]:
    return {row["role"]: row["calls"] for row in result["usage"]}


@both
def test_a_gate_that_lets_a_question_pass_leaves_no_earlier_answer(how: str) -> None:
    samples = ScriptedChatModel(replies=["same"] * 3 + ["1", "2", "3"])
    gate = gate_node("disagreement", samples, samples=3)
    graph = chain(Notes, InMemorySaver(), gate=gate, **nodes())
    first = run(how, graph, {"question": "First?"})
    second = run(how, graph, {"question": "Second?"})
    assert [first["answer"], second["answer"]] == ["same", "composed"]
    assert calls(second) == {"solver": 8, "decomposer": 1, "composer": 1}


@both
def test_what_was_understood_is_seen_by_the_nodes_behind(how: str) -> None:
    seen: list[str] = []

    def model(text: str) -> Any:
        return ScriptedChatModel(replies=lambda prompt: seen.append(prompt) or text)

    understanding = understanding_node(ScriptedChatModel(replies=["the core", "the facts"]))
    named = {
        "decomposer": decomposer_node(model(PLAN)),
        "solver": solver_node(model("solved")),
        "composer": composer_node(model("composed")),
    }
    run(how, chain(Notes, understanding=understanding, **named), {"question": " What? "})
    assert len(seen) == 4
    assert all("the core" in prompt and "the facts" in prompt for prompt in seen)


@both
def test_what_was_noted_of_another_question_is_not_this_one_s(how: str) -> None:
    noted = {"context": "", "hints": "the HINT", "fallback": "an old answer"}
    decomposer, failing = always(PLAN), ScriptedChatModel(replies=lambda _: ValueError("no"))
    named = nodes() | {"decomposer": decomposer_node(decomposer), "solver": solver_node(failing)}
    graph = chain(Notes, **named)
    same = run(how, graph, {"question": "Old?", "asked": {"question": "Old?", **noted}})
    other = run(how, graph, {"question": "New?", "asked": {"question": "Old?", **noted}})
    assert ["HINT" in prompt for prompt in decomposer.prompts] == [True, False]
    assert [same["answer"], other["answer"]] == ["an old answer", None]


BEGUN: Any = {"answers": [], "usage": [], "warnings": [], "trace": {}, "status": "running"}


@both
def test_a_question_counts_alone_if_the_state_is_cleared_with_it(how: str) -> None:
    """As docs/guide.md says."""
    limits = Limits(Budget(max_calls=4))
    graph = chain(Notes, InMemorySaver(), **nodes(limits))
    for question in ("First?", "Second?"):
        result = run(how, graph, {"question": question, **BEGUN, "spent": False})
        assert calls(result) == {"decomposer": 1, "solver": 2, "composer": 1}
        assert (result["status"], result["answer"]) == ("ok", "composed")


@both
def test_an_answer_is_verified_in_a_state_without_usage_or_messages(how: str) -> None:
    judge = ScriptedChatModel(replies=["WRONG: calculation: no", "RIGHT"])
    verifier = verifier_node(judge, solver=always("better"))
    graph = chain(Few, **nodes(), verifier=verifier)
    assert run(how, graph, {"question": "What?"})["answer"] == "better"


def test_a_better_answer_takes_the_place_of_no_message_but_the_first_answer_s() -> None:
    verifier = verifier_node(always("WRONG: calculation: no"), solver=always("better"))
    state = {"question": "What?", "answer": "4", "messages": [HumanMessage("What?", id="1")]}
    assert [said.text for said in verifier.invoke(state)["messages"]] == ["better"]
    state["messages"] = [AIMessage("4", name="decomposition", id="2")]
    removed, better = verifier.invoke(state)["messages"]
    assert (removed.id, better.text) == ("2", "better")


@pytest.mark.parametrize(
    ("node", "state", "said"),
    [
        ("solver", {}, "the state has no 'plan': run decomposer_node before"),
        ("composer", {"plan": PARTS}, "the state has no 'answers': run solver_node before"),
        ("composer", {"answers": []}, "the state has no 'plan'"),
        (
            "composer",
            {"plan": PARTS, "answers": [{"id": 1, "text": "A?", "answer": "a", "status": "ok"}]},
            "a row of answers has no error, usage, seconds: give it all the fields",
        ),
    ],
)
def test_what_a_node_needs_and_the_state_lacks_is_named(node: str, state: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        nodes()[node].invoke({"question": "What?", **state})


@both
def test_a_node_s_retriever_may_be_a_function(how: str) -> None:
    found: Any = {"retriever": lambda query: [f"about {query}"]}
    solving = chain(Notes, solver=solver_node(always("x"), **found))
    gate = chain(Notes, gate=gate_node("never", always("x"), **found), solver=always("x"))
    for graph, query in ((solving, "A?"), (gate, "Both?")):
        result = run(how, graph, {"question": "Both?", "plan": PARTS})
        assert result["answers"][0]["sources"] == [{"text": f"about {query}", "metadata": {}}]


def test_a_state_without_a_question_is_told_which_field_it_lacks() -> None:
    with pytest.raises(UserError, match="no question: it is the text of the field 'question'"):
        decomposer_node(always(PLAN)).invoke({"messages": [HumanMessage("What?")]})


@pytest.mark.parametrize(
    "node",
    [
        decomposer_node,
        solver_node,
        composer_node,
        understanding_node,
        verifier_node,
        lambda model, **options: gate_node("never", model, **options),
    ],
)
def test_a_node_s_limits_are_limits(node: Any) -> None:
    with pytest.raises(UserError, match=r"limits= takes Limits\(\.\.\.\), not Budget\(max_calls=3"):
        node(always("x"), limits=Budget(max_calls=3))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budget": 60}, r"budget= takes Budget\(\.\.\.\), not 60"),
        ({"shared_meter": Budget()}, r"shared_meter= takes Meter\(\.\.\.\), not Budget"),
        ({"call_timeout": 0}, "call_timeout is a number of seconds above 0, not 0"),
        ({"call_timeout": "60"}, "call_timeout is a number of seconds above 0, not '60'"),
    ],
)
def test_limits_are_a_budget_seconds_and_a_meter(wrong: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Limits(**wrong)


def test_a_node_s_answer_cache_is_one() -> None:
    with pytest.raises(UserError, match=r"answer_cache= takes AnswerCache\(\.\.\.\), not 'a.db'"):
        solver_node(always("x"), answer_cache="a.db")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0, 1, 65, "3", 2.0])
def test_a_gate_s_samples_can_disagree(wrong: Any) -> None:
    with pytest.raises(UserError, match="a gate node's samples are 2 to 64"):
        gate_node("disagreement", always("x"), samples=wrong)


@pytest.mark.parametrize("wrong", [-1, 9, "1", True])
def test_a_verifier_s_retries_are_a_number(wrong: Any) -> None:
    with pytest.raises(UserError, match="a verifier node's retries are 0 to 8"):
        verifier_node(always("right"), retries=wrong)


def test_a_verifier_writes_in_words() -> None:
    with pytest.raises(UserError, match="a verifier writes in words, and 'bundled' only writes"):
        verifier_node("bundled")


def test_a_row_of_one_s_own_need_not_say_of_what_type_its_error_is() -> None:
    row = {"id": 1, "text": "A?", "answer": None, "status": "failed", "usage": [], "seconds": 0.0}
    rows = [{**row, "error": {"message": "it is down"}}]
    state = {"question": "Q?", "plan": PARTS, "final": "last", "answers": rows}
    [message] = composer_node(always("x")).invoke(state)["messages"]
    assert message.content == "No answer; it is down"


class Model(BaseModel):
    """A state that LangGraph gives to nodes as an object, and not as a dict."""

    question: str
    plan: list[Any] | None = None
    answers: list[Any] | None = None
    answer: str | None = None
    warnings: list[str] | None = None


@dataclass
class Fields:
    """The same as a dataclass."""

    question: str
    plan: list[Any] | None = None
    answers: list[Any] | None = None
    answer: str | None = None
    warnings: list[str] | None = None


@both
@pytest.mark.parametrize("state", [Model, Fields])
def test_a_state_may_be_a_model_or_a_dataclass(how: str, state: Any) -> None:
    result = run(how, chain(state, **nodes()), state(question="Both?"))
    assert [row["answer"] for row in result["answers"]] == ["solved", "solved"]
    assert result["answer"] == "composed"
