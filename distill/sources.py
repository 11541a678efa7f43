"""Sources of a recipe: each makes one file of examples, by one of the ways there are.

    {"generate": {"count": 9000, "seed": 1, "kinds": {"compare": 2, "chain": 6}}}
    {"import": {"kind": "strategyqa", "path": "strategyqa/train.json"}, "split": "train"}
    {"from_solutions": {"kind": "gsm8k", "path": "gsm8k/train.jsonl"}, "split": "train"}
    {"collect": {"teacher": "openai:gpt-5-mini", "questions": "mine.jsonl"}}

and may take a `split`, be screened, and be varied: `vary: {copies: 3, names: 0.7,
numbers: 0.8}` writes three copies of each example with other names and numbers. Lines that
can't be used are counted in the manifest; `refuse_broken: true` beside `path` refuses them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from ..errors import UserError
from . import manifest
from .augment import swap_names, swap_numbers, swap_things
from .checked import checked
from .collect.collect import CollectSettings, collect
from .generate import generate
from .importers import Split, read_dataset, split_of
from .made_up_words import swap_words
from .records import Example, read_examples, read_rows, write_examples
from .screen.screen import ScreenSettings, screen
from .solutions.from_solutions import from_solution, solver_lines

_SHOWN = 5
TEACHER_SET = Path(__file__).parent / "teacher_set"
"""Plans that a strong language model wrote for this project."""

_CAPS = ("max_cost", "max_calls", "concurrency", "call_timeout")
_WAYS = ("generate", "import", "from_solutions", "collect", "examples")


@dataclass(frozen=True)
class Vary:
    """Copies with other names, things, words and numbers.

    Args:
        copies: How many of each example; none of them needs to differ.
        names: Share of the copies in which names are swapped.
        things: Share of the copies in which the things that are counted are swapped.
        words: Share of the copies in which some words become made-up ones.
        numbers: Share of the arithmetic copies in which numbers are swapped.
        seed: Another seed gives other copies.
    """

    copies: int = 1
    names: float = 0.0
    things: float = 0.0
    words: float = 0.0
    numbers: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = self.names, self.things, self.words, self.numbers
        if not 1 <= self.copies <= 1000 or not all(0 <= share <= 1 for share in shares):
            raise UserError(
                "'vary' needs 'copies' from 1 to 1000, 'names', 'things', 'words' and 'numbers' "
                "up to 1."
            )


@dataclass(frozen=True)
class ExampleSource:
    """One source of a recipe; see the module.

    Args:
        way: How the examples are made; one of generate, import, from_solutions, collect,
            examples.
        options: What that way takes.
        split: Keep only this part ("train", "dev" or "eval"); "" keeps all.
        screen: Settings of the screen, or None.
        vary: Copies with other names and numbers, or None.
    """

    way: str
    options: dict[str, Any]
    split: str = ""
    screen: dict[str, Any] | None = None
    vary: Vary | None = None
    name: str = field(default="", compare=False)

    @classmethod
    def of(cls, name: str, row: Any) -> ExampleSource:
        """From a recipe's mapping.

        Raises:
            UserError: If it doesn't say how to make examples, or says something unknown.
        """
        if not isinstance(row, dict):
            raise UserError(f"the source {name!r} must be a mapping; it takes {', '.join(_WAYS)}.")
        ways = [way for way in _WAYS if way in row]
        unknown = row.keys() - {*_WAYS, "split", "screen", "vary"}
        if len(ways) != 1 or unknown or not isinstance(row[ways[0]], dict):
            what = f"{min(unknown)!r} is no setting of it" if unknown else "it needs one way"
            raise UserError(f"the source {name!r}: {what}; it takes one of {', '.join(_WAYS)}.")
        where, split = f"the source {name!r}", row.get("split", "")
        if split not in ("", *get_args(Split)):
            raise UserError(f"{where}: 'split' is one of {', '.join(get_args(Split))}.")
        vary = checked(Vary, row["vary"], f"{where}, 'vary'") if row.get("vary") else None
        screen = row.get("screen")
        if screen is not None:
            checked(ScreenSettings, screen, f"{where}, 'screen'")
        return cls(ways[0], row[ways[0]], split, screen, vary, name)


def make_source(
    source: ExampleSource, data: Path, directory: Path, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Make a source's examples, or find them made; returns their file.

    Args:
        source: What to make.
        data: The folder that relative paths of data sets start from.
        directory: Where; one directory for each source.
        say: Gets a line now and then.

    Raises:
        UserError: If data is missing or broken.
    """
    path = directory / "examples.jsonl"
    settings = asdict(source)
    for cap in _CAPS if source.way == "collect" else ():
        settings["options"].pop(cap, None)  # Raised, the same directory goes on.
    inputs = _inputs(source, data)
    if not manifest.begin(directory, "source", settings, inputs):
        return path
    broken: list[str] = []
    examples = _examples(source, data, directory, say, broken)
    if source.split:
        examples = (example for example in examples if split_of(example.id) == source.split)
    if source.screen is not None:
        examples = _screened(source, examples, data, directory)
    if source.vary:
        examples = varied(examples, source.vary)
    count = write_examples(path, examples)
    if not count:
        raise UserError(f"the source {source.name!r} has no examples; look at its data and split.")
    counts = {"examples": count, "broken": len(broken), "broken_lines": broken[:_SHOWN]}
    manifest.finish(directory, "source", settings, inputs, counts)
    return path


def varied(examples: Iterable[Example], vary: Vary) -> Iterator[Example]:
    """Copies of examples, some with other names and numbers, the same for the same seed."""
    rng = random.Random(vary.seed)
    for example in examples:
        for _ in range(vary.copies):
            changed = swap_names(example, rng) if rng.random() < vary.names else example
            if rng.random() < vary.things:
                changed = swap_things(changed, rng)
            # Without them nothing is drawn, so that a recipe's other copies stay as they were.
            if vary.words and rng.random() < vary.words:
                changed = swap_words(changed, rng)
            if rng.random() < vary.numbers:
                changed = swap_numbers(changed, rng) or changed
            yield changed


def data_path(name: str, data: Path) -> Path:
    """A data file: `teacher:FILE` is the project's own, the rest lies in the data folder.

    Raises:
        UserError: If it isn't there.
    """
    own = name.startswith("teacher:")
    path = TEACHER_SET / name.removeprefix("teacher:") if own else data / name
    if not path.is_file():
        raise UserError(
            f"the data file {str(path)!r} isn't there; name the folder that holds it with --data "
            "(docs/distillation.md says where each set comes from)."
        )
    return path


def _inputs(source: ExampleSource, data: Path) -> list[Path]:
    """Every file that a source reads, so that a change in any is noticed."""
    found: list[Path] = []
    if named := source.options.get("path"):
        found.append(data_path(str(named), data))
        if source.options.get("kind") == "teacher":
            rows = (row for _, row in read_rows(found[0]) if isinstance(row, dict))
            originals = dict.fromkeys(str(row["source"]) for row in rows if "source" in row)
            found += [data_path(name, data) for name in originals]
    questions = Path(str(source.options.get("questions", "")))
    if source.way == "collect" and questions.is_file():
        found.append(questions)
    evaluation = (source.screen or {}).get("evaluation", [])
    return found + [data_path(str(name).rpartition(":")[2], data) for name in evaluation]


def _examples(
    source: ExampleSource,
    data: Path,
    directory: Path,
    say: Callable[[str], None],
    broken: list[str],
) -> Iterable[Example]:
    options = dict(source.options)
    try:
        if source.way == "generate":
            return generate(**options)
        if source.way == "collect":
            settings = checked(CollectSettings, options, f"the source {source.name!r}")
            done = collect(settings, directory / "collect", lambda p: say(str(p)))
            if done.get("failed"):
                raise UserError(
                    f"the source {source.name!r}: {done['failed']} questions failed; "
                    "what came is kept, run the same again to ask for the rest."
                )
            return read_examples(directory / "collect" / "examples.jsonl")
        for_solver = options.pop("solver_lines", False)
        noted = None if options.pop("refuse_broken", False) else broken
        path = data_path(str(options.pop("path", "")), data)
        if source.way == "examples":
            return read_examples(path, noted)
        rows = read_dataset(options.pop("kind", ""), path, data_dir=data, broken=noted, **options)
    except TypeError as error:
        raise UserError(f"the source {source.name!r}: {error}.") from None
    if source.way == "from_solutions":
        turn = solver_lines if for_solver else from_solution
        return (found for row in rows if (found := turn(row)))
    return rows


def _evaluation(name: str, data: Path) -> str:
    """An evaluation set as the screen names it, `KIND:PATH`, with the data folder before it."""
    kind, colon, path = name.rpartition(":")
    return f"{kind}{colon}{data_path(path, data)}"


def _screened(
    source: ExampleSource, examples: Iterable[Example], data: Path, directory: Path
) -> Iterator[Example]:
    made = directory / "unscreened.jsonl"
    write_examples(made, examples)
    options = dict(source.screen or {})
    options["evaluation"] = [_evaluation(name, data) for name in options.get("evaluation", [])]
    screen(ScreenSettings(**options), [made], directory / "screen")
    return read_examples(directory / "screen" / "examples.jsonl")
