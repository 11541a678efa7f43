"""Roles as generators: written once, driven blocking or in the event loop.

A role (decomposer, solver, composer) yields what it wants done and is sent what came of it:
a `Call` to a model gets a `Reply`, an `Event` is told to whoever listens, a `Do` runs
anything else that waits, `Together` runs several roles at once, and `InOrder` several of which
some need what others find. `run` does all this with blocking calls, `arun` with awaited ones; so
no role exists in two versions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .calls import Call, aask, ask
from .events import Event, aemit, emit
from .replies import Reply
from .session import Limits, Session
from .side_by_side import ain_order, atogether, in_order, together
from .trace import analyse
from .usage import add_usage
from .waiting import await_within, wait_within

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

T = TypeVar("T")


@dataclass(frozen=True)
class Do:
    """Something that waits and isn't a model: how to do it blocking, and how to await it.

    If it is bounded, the call's timeout and the budget's seconds hold for it too. If it has a
    key, what comes of it is kept as a reply is, in whose form it must be: JSON-native, with
    its `usage`. None is not kept.
    """

    blocking: Callable[[Any], Any]
    awaitable: Callable[[Any], Awaitable[Any]]
    bounded: bool = False
    key: str = ""


@dataclass(frozen=True)
class Together:
    """Roles to run at once; what comes back is a list of their results or exceptions."""

    roles: Sequence[Generator[Any, Any, Any]]


@dataclass(frozen=True)
class InOrder:
    """Roles of which some need others: each begins as soon as those that it needs have ended.

    What comes back is the list of their results; an exception of any is raised.

    Attributes:
        needs: For each role, the places of the earlier ones that it waits for.
        role: Makes the role of a place, once those are done.
    """

    needs: Sequence[Sequence[int]]
    role: Callable[[int], Generator[Any, Any, Any]]


Steps = Generator["Call | Event | Do | Together | InOrder", Any, T]


def run(
    steps: Steps[T],
    config: Any = None,
    session: Session | None = None,
    *,
    asking: Callable[[Call, Any], Reply] | None = None,
) -> T:
    """Drive a role to its result with blocking calls; errors are thrown into the role.

    Args:
        steps: The role.
        config: LangChain's config, for callbacks and traces.
        session: Budget and journal, and whether to stop; none of it if None.
        asking: Makes the calls in place of `ask`.
    """
    session = session or Session()

    def perform(step: Any) -> Any:
        if isinstance(step, Call):
            return asking(step, config) if asking else ask(step, config, session)
        if isinstance(step, Event):
            return emit(step, config)
        if isinstance(step, Do):
            return _do(step, config, session)
        if isinstance(step, InOrder):
            return in_order(lambda place: run(step.role(place), config, session), step.needs)
        return together([lambda r=role: run(r, config, session) for role in step.roles])

    with session.around_what_is_asked():
        try:
            step = next(steps)
            while True:
                session.check()
                try:
                    done = perform(step)
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(done)
        except StopIteration as stop:
            return stop.value
        finally:
            steps.close()


async def arun(steps: Steps[T], config: Any = None, session: Session | None = None) -> T:
    """`run` for the event loop."""
    session = session or Session()

    async def perform(step: Any) -> Any:
        if isinstance(step, Call):
            return await aask(step, config, session)
        if isinstance(step, Event):
            return await aemit(step, config)
        if isinstance(step, Do):
            return await _ado(step, config, session)
        if isinstance(step, InOrder):
            return await ain_order(
                lambda place: arun(step.role(place), config, session), step.needs
            )
        return await atogether([arun(role, config, session) for role in step.roles])

    with session.around_what_is_asked():
        try:
            step = next(steps)
            while True:
                try:
                    done = await perform(step)
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(done)
        except StopIteration as stop:
            return stop.value
        finally:
            steps.close()


def _do(step: Do, config: Any, session: Session) -> Any:
    if (kept := session.kept(step.key)) is not None:
        return kept
    with session.in_time(bounded=step.bounded) as seconds:
        done = wait_within(seconds, lambda: step.blocking(config))
    if step.key and done is not None:
        session.keep(step.key, done)
    return done


async def _ado(step: Do, config: Any, session: Session) -> Any:
    if (kept := session.kept(step.key)) is not None:
        return kept
    with session.in_time(bounded=step.bounded) as seconds:
        done = await await_within(seconds, lambda: step.awaitable(config))
    if step.key and done is not None:
        await session.akeep(step.key, done)
    return done


def changed(steps: Steps[T], change: Callable[[Any], Any]) -> Steps[T]:
    """The same role, each of whose steps is changed by a function before it is done."""
    try:
        step = next(steps)
        while True:
            try:
                done = yield change(step)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(done)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


def as_runnable(
    name: str,
    steps: Callable[..., Steps[T]],
    limits: Limits | None = None,
    *,
    fresh: bool = False,
    keep_call: Callable[[Any], bool] | None = None,
) -> Runnable[Any, T]:
    """A Runnable, and so a LangGraph node, from a role: input in, result out.

    Args:
        name: The node's name.
        steps: The role.
        limits: Budget for the question and timeout for a call.
        fresh: Whether a question begins here: what the state holds is another one's.
        keep_call: Whether, with an input, the budget keeps a call back for the composer.
    """
    from .role_runnable import RoleRunnable

    limits = Limits.of(limits)

    def call(value: Any, config: Any) -> T:
        session = Session.of({} if fresh else value, config, limits).open()
        session.meter.kept_for_composer = int(bool(keep_call and keep_call(value)))
        try:
            return _complete(run(steps(value), config, session), value, session)
        finally:
            session.stop.set()  # After Ctrl-C, threads of `Together` may still run.

    async def acall(value: Any, config: Any) -> T:
        session = await Session.of({} if fresh else value, config, limits).aopen()
        session.meter.kept_for_composer = int(bool(keep_call and keep_call(value)))
        try:
            return _complete(await arun(steps(value), config, session), value, session)
        finally:
            session.stop.set()  # A function that was asked in a thread may still run, too.

    return RoleRunnable(call, acall, name=name)


def _complete(result: T, state: Any, session: Session) -> T:
    """A node's update with what earlier attempts at it took, and the question's time so far."""
    if not isinstance(result, Mapping):
        return result
    more: dict[str, Any] = {}
    if session.failed_before and isinstance(state, Mapping):
        told = result.get("usage", state.get("usage", ()))
        more["usage"] = add_usage(told, session.failed_before)
        if "nodes" in result.get("trace", ()):
            more["trace"] = analyse({"answers": [], **state, **result}, more["usage"])
    if session.meter.budget.max_seconds is not None:
        more["elapsed"] = session.meter.seconds
    return {**result, **more}  # pyright: ignore[reportReturnType]
