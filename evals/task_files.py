"""Tasks: which questions are asked and how answers are judged, each a small YAML file.

    name: svamp
    version: 1            # raised when results can no longer be compared with older ones
    prompt_version: "1"   # raised when `ask` changes
    format: svamp         # one of loaders.FORMATS
    scoring: numeric      # one of metrics.METRICS; left out where only plans are judged
    source: svamp/SVAMP.json                 # below the data folder, or a list: the first found
    hf: ChilleD/SVAMP:test                   # the same on the Hugging Face hub
    ask: Answer with a number.               # put behind each question, if there is need
    get: curl -o {data}/svamp/SVAMP.json ... # how to get the file

A user's own file of questions is a task without any YAML; see `loaders.own`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..nodes.outputs import whole_characters
from ..settings import expanded
from ..storage import reading
from .hub import HUB, dataset_rows
from .items import Item
from .loaders import FORMATS, read_file, read_items
from .loaders.fields import reason
from .loaders.own import own_scoring
from .metrics import METRICS, score

TASKS = Path(__file__).parent / "tasks"
_DATA = Path("data")
_MAX_YAML_BYTES = 100_000
_YAML, _ROWS = (".yaml", ".yml"), (".jsonl", ".json")
_NEEDED = ("name", "version", "prompt_version", "format")
_TEXTS = ("name", "prompt_version", "format", "scoring", "hf", "ask", "get")


@dataclass(frozen=True)
class Task:
    """What is asked and how answers are judged; see the module for the fields.

    Attributes:
        home: Where sources lie if no data folder is named.
    """

    name: str
    version: int
    prompt_version: str
    format: str
    scoring: str = ""
    sources: tuple[str, ...] = ()
    hf: str = ""
    ask: str = ""
    get: str = ""
    home: Path = _DATA

    @property
    def metric(self) -> str:
        """The metric that systems are compared by; "" if only plans are judged."""
        return METRICS[self.scoring][0] if self.scoring else ""


def task_names() -> list[str]:
    """The tasks that come with the package."""
    return sorted(path.stem for path in TASKS.glob("*.yaml"))


def load_task(name_or_path: str | Path) -> Task:
    """A task by its name, from a YAML file, or for a JSONL file of one's own questions.

    Raises:
        UserError: If there is none, or the file is no task.

    Example:
        >>> load_task("gsm8k").metric
        'flexible'
    """
    name = str(name_or_path)
    if name in task_names():
        return _from_yaml(TASKS / f"{name}.yaml", _DATA)
    path = expanded(name)
    if path.is_file() and path.suffix in _YAML:
        return _from_yaml(path, path.parent)
    if path.is_file() and path.suffix in _ROWS:
        return _own(path.absolute())
    if path.is_file():
        raise UserError(
            f"a task is a file in {' or '.join((*_YAML, *_ROWS))}, not {name!r}; put your "
            "questions into JSONL."
        )
    raise UserError(
        f"there is no task {name!r}; name one of {', '.join(task_names())}, or a YAML or JSONL "
        "file that exists."
    )


def load_items(
    task: Task, data: str | Path | None = None, limit: int | None = None, seed: int = 0
) -> list[Item]:
    """The items of a task, in an order that depends on their ids and the seed alone.

    So a smaller limit gives the first of what a larger one gives.

    Args:
        task: The task.
        data: The folder that sources lie in, or "hf:" for the Hugging Face hub. By default
            `data` in the current folder, or beside the user's own YAML file.
        limit: Most items; all if None.
        seed: Another seed gives other subsets.

    Raises:
        UserError: If the data isn't there, has a broken row, an id twice or a gold answer that
            the task's scoring can't judge, or the limit isn't positive.
    """
    if limit is not None and limit < 1:
        raise UserError(f"the limit is a number from 1, not {limit}.")
    source = source_of(task, data)
    items = _read(task, data, source)
    if task.ask:
        items = [replace(item, question=f"{item.question}\n{task.ask}") for item in items]
    if not items:
        raise UserError(f"{source!r} holds no questions for {task.name!r}.")
    _check_ids(items, source)
    _check_gold(items, task)
    return sorted(items, key=lambda item: _shuffled(item.id, seed))[:limit]


def source_of(task: Task, data: str | Path | None = None) -> str:
    """Where a task's items come from: a file's place below the data folder, or the hub's.

    Raises:
        UserError: If none of the files is there; the message says how to get one.
    """
    if _on_hub(task, data):
        return HUB + task.hf
    folder = task.home if data is None else expanded(data)
    found = next((name for name in task.sources if (folder / name).is_file()), None)
    if found is None:
        raise UserError(_missing(task, folder))
    return found


def _read(task: Task, data: str | Path | None, source: str) -> list[Item]:
    if _on_hub(task, data):
        rows = ((f"{source}, row {number}", row) for number, row in dataset_rows(source))
        return list(read_items(task.format, rows))
    folder = task.home if data is None else expanded(data)
    return list(read_file(task.format, folder / source))


def _on_hub(task: Task, data: str | Path | None) -> bool:
    """Only for those who said so, in the command or in a YAML that names nothing else."""
    if str(data) == HUB and not task.hf:
        raise UserError(f"{task.name!r} isn't on the hub; name a data folder.")
    return str(data) == HUB or not task.sources


def _missing(task: Task, folder: Path) -> str:
    wanted = " or ".join(repr(str(folder / name)) for name in task.sources)
    get = task.get.replace("{data}", str(folder))
    how = f", or get it: {get}" if get else ""
    return f"the task {task.name!r} needs {wanted}; name the data folder with --data{how}"


def _check_ids(items: list[Item], source: str) -> None:
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise UserError(
                f"{source}: two questions have the id {item.id!r}, maybe since a row without one "
                "goes by its number; rename one."
            )
        seen.add(item.id)


def _check_gold(items: list[Item], task: Task) -> None:
    """Judge some answer to each item: what can't be judged is to stop a run before it begins."""
    for item in items if task.scoring else ():
        place = f"the task {task.name!r}, question {item.id!r}"
        if not item.gold:
            raise UserError(f"{place}: it has no answer to judge by; add one.")
        try:
            score(task.scoring, "0", item.gold)
        except Exception as error:
            raise UserError(
                f"{place}: {task.scoring!r} can't judge by its answer ({reason(error)}); mend it."
            ) from None


def _shuffled(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _own(path: Path) -> Task:
    scoring = own_scoring(list(read_file("own", path)), str(path))
    return Task(whole_characters(path.stem), 1, "1", "own", scoring, (str(path),))


def _from_yaml(path: Path, home: Path) -> Task:
    import yaml

    with reading(path), path.open("rb") as file:
        text = file.read(_MAX_YAML_BYTES)
    try:
        row = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is no YAML: {' '.join(str(error).split())}.") from None
    try:
        return _task(row, home)
    except ValueError as error:
        raise UserError(f"the task {str(path)!r}: {error}.") from None


def _task(row: Any, home: Path) -> Task:
    """A task from parsed YAML; a ValueError says what is wrong."""
    if not isinstance(row, Mapping):
        raise ValueError(f"it is a mapping with {', '.join(_NEEDED)}")
    _check_fields(row)
    source = row.get("source", [])
    sources = [source] if isinstance(source, str) else source
    if not isinstance(sources, list) or not all(isinstance(s, str) and s for s in sources):
        raise ValueError("'source' is a file's place below the data folder, or a list of such")
    if not sources and not row.get("hf"):
        raise ValueError("it names neither 'source' nor 'hf'")
    texts = {k: row[k] for k in _TEXTS if k in row}
    return Task(version=row["version"], sources=tuple(sources), home=home, **texts)


def _check_fields(row: Mapping[Any, Any]) -> None:
    if lacking := [k for k in _NEEDED if k not in row]:
        raise ValueError(f"{lacking[0]!r} is missing")
    if unknown := [k for k in row if k not in (*_TEXTS, "version", "source")]:
        raise ValueError(f"a task has no {unknown[0]!r}")
    if wrong := [k for k in _TEXTS if not isinstance(row.get(k, ""), str)]:
        raise ValueError(f"{wrong[0]!r} is a text; put it in quotes")
    if type(row["version"]) is not int:
        raise ValueError("'version' is a whole number")
    for key, known in (("format", FORMATS), ("scoring", {"", *METRICS})):
        if row.get(key, "") not in known:
            names = ", ".join(sorted(filter(None, known)))
            raise ValueError(f"there is no {key} {row[key]!r}; known: {names}")
    fitting = FORMATS[row["format"]].scorings
    if row.get("scoring") and row["scoring"] not in fitting:
        names = ", ".join(fitting) or "none, plans alone are judged"
        raise ValueError(
            f"the scoring {row['scoring']!r} can't judge the format {row['format']!r}; fitting: "
            f"{names}"
        )
