"""Who answers which subquestion: the user's rule, or the best that the budget allows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langgraph_decompose import Budget, SolverOption, Subquestion, UserError, solver_node
from langgraph_decompose import create_decomposition_graph as create
from langgraph_decompose.graphs.factory import STRATEGIES
from langgraph_decompose.nodes.solvers import Solvers
from langgraph_decompose.testing import LatencyServer, ScriptedChatModel

from .conftest import ASKED, always, both, run
from .symbolic_puzzles import formalised

PLAN = "#1 What is 6 * 7?\n#2 Who wrote Emma?\n#3 How long is it? <- #2"


def graph(solvers: Any, plan: str = PLAN, **options: Any) -> Any:
    return create(solvers, decomposer=always(plan), composer=always("end"), **options)


def by_kind(line: Subquestion) -> str:
    return "calculator" if "*" in line.text else "reader"


def events(graph: Any) -> list[dict[str, Any]]:
    return list(graph.stream(ASKED, stream_mode="custom"))


def allocation(graph: Any) -> dict[str, Any]:
    [found] = [event for event in events(graph) if event["type"] == "decompose.allocation"]
    return found


@both
def test_a_rule_sends_each_line_to_a_solver(how: str) -> None:
    solvers = {"reader": always("read"), "calculator": always("calculated")}
    rows = run(how, graph(solvers, route=by_kind))["answers"]
    assert [row["answer"] for row in rows] == ["calculated", "read", "read"]
    assert len(solvers["calculator"].prompts) == 1


@both
def test_models_of_any_kind_can_be_mixed(how: str) -> None:
    with LatencyServer(lambda *_: "hosted") as server:
        solvers = {"calculator": "bundled", "reader": f"openai:m@{server.url}"}
        result = run(how, graph(solvers, route=by_kind))
    assert [row["answer"] for row in result["answers"]] == ["42", "hosted", "hosted"]
    assert [row["solver"] for row in result["answers"]] == ["bundled"] + [solvers["reader"]] * 2
    used = {row["model"] for row in result["usage"] if row["role"] == "solver"}
    assert used == set(solvers.values())


@both
@pytest.mark.parametrize("strategy", ["dag", "escalate"])
def test_of_a_question_that_is_split_the_rule_is_asked_for_its_lines_alone(
    how: str, strategy: Any
) -> None:
    named = {1: "one", 2: "two"}
    options: Any = {"ladder": [{"strategy": "dag", "samples": 1}]} if strategy != "dag" else {}
    solvers = {"one": always("first"), "two": always("second")}
    asked = graph(
        solvers, "#1 A?\n#2 B?", strategy=strategy, route=lambda line: named[line.id], **options
    )
    assert run(how, asked)["status"] == "ok"
    assert [len(solver.prompts) for solver in solvers.values()] == [1, 1]


@both
@pytest.mark.parametrize("named", ["nobody", None, ["reader"], 1])
def test_a_rule_that_names_nobody_is_the_user_s_mistake(how: str, named: Any) -> None:
    solvers = {"reader": always("x"), "calculator": always("x")}
    with pytest.raises(UserError, match=r"route chose .* for #1; the solvers are reader, calc"):
        run(how, graph(solvers, route=lambda line: named))


@both
@pytest.mark.parametrize(
    "options",
    [*({"strategy": name} for name in STRATEGIES), {"gate": "never"}, {"gate": "disagreement"}],
    ids=lambda options: " ".join(options.values()),
)
def test_a_rule_is_asked_for_a_question_that_is_not_split(how: str, options: Any) -> None:
    lines = set[tuple[int, str]]()

    def rule(line: Subquestion) -> str:
        lines.add((line.id, line.text))
        return "reader"

    reply = "Answer: read"
    if options.get("strategy") == "symbolic":
        pytest.importorskip("z3")
        reply = formalised("(declare-const x Int)", "(assert (= x 7))", "{x}")
    plan = "done" if options.get("strategy") == "dynamic" else "atomic"
    solvers = {"calculator": "bundled", "reader": always(reply)}
    result = run(how, create(solvers, route=rule, decomposer=always(plan), **options))
    assert (result["status"], result["warnings"]) == ("ok", [])
    assert {row["model"] for row in result["usage"] if row["role"] == "solver"} == {
        "ScriptedChatModel"
    }
    assert lines == {(0, "All?")}


def test_a_rule_sees_a_long_question_to_its_end() -> None:
    question = "Ana sells what she picks at the market. " * 10 + "How many pears are left?"
    solvers = {"sums": always("19"), "facts": always("Ridley Scott")}
    rule = lambda line: "sums" if "how many" in line.text.lower() else "facts"  # noqa: E731
    result = graph(solvers, "atomic", route=rule).invoke({"question": question})
    assert (result["answer"], result["answers"][0]["text"]) == ("19", question)


def test_a_rule_that_names_nobody_for_the_whole_question_says_so() -> None:
    with pytest.raises(UserError, match="route chose None for the whole question"):
        graph({"reader": always("x")}, "atomic", route=lambda line: None).invoke(ASKED)


@both
@pytest.mark.parametrize("chosen_by", ["rule", "cost"])
def test_of_several_solvers_one_that_writes_in_words_composes(how: str, chosen_by: str) -> None:
    models = {"calculator": "bundled", "reader": always("read")}
    if chosen_by == "rule":
        asked = create(models, route=by_kind, decomposer=always(PLAN))
    else:
        options = {
            name: SolverOption(model, cost=0, success=lambda line, kind=name: kind == by_kind(line))
            for name, model in models.items()
        }
        asked = create(options, decomposer=always(PLAN))
    result = run(how, asked)
    assert [row["answer"] for row in result["answers"]] == ["42", "read", "read"]
    assert (result["status"], result["answer"]) == ("ok", "read")
    assert "What was found" in models["reader"].prompts[-1]


OPTION = SolverOption(lambda _: "x", cost=1, success=0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": {}}, "no solver in the dict"),
        ({"solver": {"a": always("x"), "b": OPTION}}, "need route=, or each a SolverOption"),
        ({"solver": always("x"), "route": by_kind}, "route= is a function, and needs a dict"),
        ({"solver": {"a": always("x")}, "route": "a"}, "route= is a function, and needs a dict"),
        ({"solver": {"a": "nonsense"}, "route": by_kind}, "unknown model 'nonsense'"),
        ({"solver": always("x"), "max_concurrency": 0}, "max_concurrency is a whole number"),
    ],
)
def test_mistakes_are_told_when_the_graph_is_built(arguments: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        create(**arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"cost": value} for value in (-1, math.nan, math.inf, "1", True, None)],
        *[{"success": value} for value in (-0.1, 1.1, math.nan, "high", None)],
        *[{"samples": value} for value in ((), (0,), (100,), (1.5,), 3, "3", None)],
    ],
)
def test_an_option_s_numbers_are_checked(wrong: Any) -> None:
    right = {"cost": 1, "success": 0.5, "samples": (1,)}
    with pytest.raises(UserError, match=f"a solver's {next(iter(wrong))} "):
        SolverOption(lambda _: "x", **(right | wrong))


@both
def test_without_a_composer_the_likeliest_to_be_right_composes(how: str) -> None:
    result = run(how, create(cheap_and_dear(), decomposer=always(PLAN), budget=Budget(max_cost=3)))
    assert [row["answer"] for row in result["answers"]] == ["cheap"] * 3
    assert result["answer"] == "dear"


def test_of_those_that_write_the_likeliest_to_be_right_composes() -> None:
    options: Any = {
        "sums": SolverOption("bundled", cost=0, success=0.99),
        "weak": SolverOption(always("weak"), cost=1, success=0.3),
        "sometimes": SolverOption(always("sometimes"), cost=1, success=lambda _: 0.9),
        "strong": SolverOption(always("strong"), cost=1, success=0.8),
    }
    solvers = Solvers(options)
    assert (solvers.first, solvers.writer) == (solvers.models["sums"], solvers.models["strong"])
    routed = Solvers(options, route=lambda line: "weak")
    assert routed.writer is routed.first is routed.models["weak"], "the first that writes"


def cheap_and_dear(**options: Any) -> dict[str, SolverOption]:
    return {
        "cheap": SolverOption(always("cheap"), cost=1, success=0.5, **options),
        "dear": SolverOption(always("dear"), cost=10, success=0.9),
    }


@both
@pytest.mark.parametrize(
    ("money", "answers", "success"),
    [
        (3, ["cheap", "cheap", "cheap"], 0.5**3),
        (12, ["cheap", "cheap", "dear"], 0.5**2 * 0.9),
        (21, ["cheap", "dear", "dear"], 0.5 * 0.9**2),
        (30, ["dear", "dear", "dear"], 0.9**3),
        (None, ["dear", "dear", "dear"], 0.9**3),
    ],
)
def test_money_buys_the_likeliest_success(how: str, money: Any, answers: Any, success: Any) -> None:
    asked = graph(cheap_and_dear(), budget=Budget(max_cost=money))
    rows = run(how, asked)["answers"]
    assert sorted(row["answer"] for row in rows) == answers
    told = allocation(asked)
    assert told["success"] == pytest.approx(success)
    assert told["cost"] == answers.count("cheap") + 10 * answers.count("dear")
    assert (told["gap"], sorted(told["choices"])) == (0, ["1", "2", "3"])


def test_the_estimate_may_depend_on_the_line() -> None:
    sums = SolverOption(always("sum"), cost=1, success=lambda s: 0.99 if "*" in s.text else 0.01)
    facts = SolverOption(always("fact"), cost=1, success=0.6)
    rows = graph({"sums": sums, "facts": facts}).invoke(ASKED)["answers"]
    assert [row["answer"] for row in rows] == ["sum", "fact", "fact"]
    for useless in (None, "high", math.nan):
        wrong = SolverOption(always("x"), cost=1, success=lambda _, value=useless: value)
        with pytest.raises(UserError, match="a solver's success for #1 is a chance, not"):
            graph({"wrong": wrong}).invoke(ASKED)


@pytest.mark.parametrize(
    ("options", "asking"),
    [
        *(
            ({"strategy": name}, f"strategy '{name}'")
            for name in STRATEGIES
            if name not in ("dag", "sequential", "recursive")
        ),
        ({"gate": "never"}, "gate 'never'"),
        ({"strategy": "recursive", "gate": "disagreement"}, "gate 'disagreement'"),
    ],
    ids=str,
)
def test_who_asks_without_a_plan_cannot_choose_by_cost(options: Any, asking: str) -> None:
    with pytest.raises(UserError, match=f"for a whole plan, and {asking} asks without one: use"):
        graph(cheap_and_dear(), **options)


@both
def test_a_question_that_was_attempted_and_left_whole_costs_nothing_more(how: str) -> None:
    options = cheap_and_dear(samples=(3,))
    node = solver_node({"cheap": options["cheap"]})
    asked = {**ASKED, "plan": [], "asked": {**ASKED, "fallback": "as attempted"}}
    [row] = run(how, node, asked)["answers"]
    assert (row["answer"], row["usage"]) == ("as attempted", [])


@both
def test_several_samples_are_asked_and_put_to_the_vote(how: str) -> None:
    replies = ["7", "8", "7.0"]
    solver = ScriptedChatModel(replies=replies)
    options = {"only": SolverOption(solver, cost=1, success=0.7, samples=(1, 3))}
    asked = graph(options, "#1 A?", budget=Budget(max_cost=3))
    result = run(how, asked)
    [row] = result["answers"]
    assert (row["answer"] in ("7", "7.0"), row["usage"][0]["calls"]) == (True, 3)
    assert len(solver.prompts) == 3
    cheaper = graph(options, "#1 A?", budget=Budget(max_cost=2))
    solver.replies = lambda _: "7"
    told = allocation(cheaper)
    assert [choice["samples"] for choice in told["choices"].values()] == [1]
    assert told["success"] == pytest.approx(0.7)


@both
def test_samples_are_asked_at_once(how: str) -> None:
    def reply(*_: Any) -> str:
        if server.in_flight == 5:
            server.release()
        return "7"

    with LatencyServer(reply) as server:
        server.hold()
        options = {"only": SolverOption(f"openai:m@{server.url}", 1, 0.7, samples=(5,))}
        assert run(how, graph(options, "#1 A?"))["answers"][0]["answer"] == "7"
    assert (server.peak, len(server.calls)) == (5, 5)


@both
def test_of_several_samples_one_that_fails_has_no_vote(how: str) -> None:
    solver = ScriptedChatModel(replies=[ValueError("no"), "7", "7"])
    option = SolverOption(solver, cost=1, success=0.7, samples=(3,))
    assert run(how, graph({"only": option}, "#1 A?"))["answers"][0]["answer"] == "7"
    solver = always(ValueError("no idea"))
    option = SolverOption(solver, cost=1, success=0.7, samples=(3,))
    [row] = run(how, graph({"only": option}, "#1 A?"))["answers"]
    assert (row["status"], row["error"]["message"]) == ("failed", "no idea")


@both
def test_too_little_money_buys_nothing(how: str) -> None:
    options = cheap_and_dear()
    result = run(how, graph(options, budget=Budget(max_cost=2)))
    assert (result["answer"], result["status"]) == (None, "budget_exhausted")
    assert [row["status"] for row in result["answers"]] == ["skipped"] * 3
    assert result["answers"][0]["error"]["type"] == "BudgetExhaustedError"
    assert "cost" in result["answers"][0]["error"]["message"]
    assert options["cheap"].solver.prompts == options["dear"].solver.prompts == []
    assert [row["role"] for row in result["usage"]] == ["decomposer"]
