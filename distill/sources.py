"""Sources of a recipe: each makes one file of examples, by one of the ways there are.

    {"generate": {"count": 9000, "seed": 1, "kinds": {"compare": 2, "chain": 6}}}
    {"import": {"kind": "strategyqa", "path": "strategyqa/train.json"}, "split": "train"}
    {"from_solutions": {"kind": "gsm8k", "path": "gsm8k/train.jsonl"}, "split": "train"}
    {"collect": {"teacher": "openai:gpt-5-mini", "questions": "mine.jsonl"}}

and may take a `split`, be screened, and be varied: `vary: {copies: 3, names: 0.7,
numbers: 0.8}` writes three copies of each example with other names and numbers. Lines that
can't be used are told and counted; `refuse_broken: true` beside `path` or `questions` refuses
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from ..errors import UserError
from ..evals.splits import Split, split_of
from ..models.hosted import without_credentials
from . import manifest
from .collect.collect import EXAMPLES, CollectSettings, collect
from .generate import generate
from .importers import read_dataset
from .records import Example, read_examples, write_examples
from .screen.screen import ScreenSettings, screen
from .solutions.from_solutions import from_solution, solver_lines
from .source_files import data_path, evaluation_reference, source_inputs
from .source_options import WAYS, ExamplesOptions, GenerateOptions, Options, SolutionOptions
from .vary import Vary, varied
from .yaml_settings import checked

_SHOWN = 5
_TOLD_EVERY = 500


@dataclass(frozen=True)
class ExampleSource:
    """One source of a recipe; see the module.

    Args:
        way: How the examples are made; one of `WAYS`.
        options: What that way takes, as the recipe has it.
        split: Keep only this part ("train", "dev" or "eval"); "" keeps all.
        screen: Settings of the screen, or None.
        vary: Copies with other names and numbers, or None.
        name: What the recipe calls it.
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
            raise UserError(f"the source {name!r} must be a mapping; it takes {', '.join(WAYS)}.")
        ways = [way for way in WAYS if way in row]
        unknown = [str(key) for key in row if key not in {*WAYS, "split", "screen", "vary"}]
        if len(ways) != 1 or unknown:
            what = f"{unknown[0]!r} is no setting of it" if unknown else "it needs one way"
            raise UserError(f"the source {name!r}: {what}; it takes one of {', '.join(WAYS)}.")
        where, split = f"the source {name!r}", row.get("split", "")
        if split not in ("", *get_args(Split)):
            raise UserError(f"{where}: 'split' is one of {', '.join(get_args(Split))}.")
        vary = checked(Vary, row["vary"], f"{where}, 'vary'") if row.get("vary") else None
        screen = row.get("screen")
        if screen is not None:
            checked(ScreenSettings, screen, f"{where}, 'screen'")
        source = cls(ways[0], row[ways[0]], split, screen, vary, name)
        source.checked_options()
        return source

    def checked_options(self) -> Options:
        """The options as settings of their way.

        Raises:
            UserError: If one is unknown, missing or wrong.
        """
        return checked(WAYS[self.way], self.options, f"the source {self.name!r}")


def is_made(source: ExampleSource, data: Path, directory: Path) -> bool:
    """Whether a source's examples are there, made from the same data.

    Raises:
        UserError: If data is missing, or the directory holds another source.
    """
    return manifest.is_finished(directory, *_about(source, data, directory), [EXAMPLES])


def make_source(
    source: ExampleSource,
    data: Path,
    directory: Path,
    say: Callable[[str], None] = lambda _: None,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Make a source's examples, or find them made; returns their file.

    One that a teacher is asked for may change: it is made again from the replies that are kept,
    and only what is new is asked.

    Args:
        source: What to make.
        data: The folder that relative paths of data sets start from.
        directory: Where; one directory for each source.
        say: Gets what a person should know of the examples.
        progress: Is told how far it is now and then.

    Raises:
        UserError: If data is missing or broken, or the directory holds another source.
    """
    path = directory / EXAMPLES
    step, settings, inputs, anew = _about(source, data, directory)
    manifest.refuse_own_input(path, inputs)
    if not manifest.begin(directory, step, settings, inputs, anew, [EXAMPLES]):
        return path
    left_out: list[str] = []
    plans = [0]
    made = _examples(source, data, directory, progress, left_out)
    examples = _chosen(source, made, data, directory)
    count = write_examples(path, _told(examples, source.name, progress, plans))
    dropped = _dropped(directory) if source.screen is not None else ""
    left = f"{len(left_out):,} left out, first {left_out[0]}" if left_out else ""
    if not count:
        raise UserError(
            f"the source {source.name!r} has no examples{left and f' ({left})'}; "
            f"{dropped or 'look at its data and split'}."
        )
    if left:
        say(f"{source.name}: {left}")
    if dropped:
        say(f"{source.name}: {dropped}")
    if source.way == "import" and not plans[0]:
        say(f"none of {path} has a plan: it teaches to answer (`roles: [direct]`), not to split")
    counts = {
        "examples": count,
        "plans": plans[0],
        "left_out": len(left_out),
        "left_out_lines": left_out[:_SHOWN],
    }
    manifest.finish(directory, step, settings, inputs, counts)
    return path


def _chosen(
    source: ExampleSource, examples: Iterable[Example], data: Path, directory: Path
) -> Iterable[Example]:
    """Those of a source's examples that are of its split, screened and varied."""
    if source.split:
        examples = (example for example in examples if split_of(example.id) == source.split)
    if source.screen is not None:
        examples = _screened(source, examples, data, directory)
    return varied(examples, source.vary) if source.vary else examples


def _dropped(directory: Path) -> str:
    """What the screen dropped, in words; "" if that is nothing."""
    counts = manifest.read_manifest(directory / "screen")["counts"]
    dropped: dict[str, int] = counts["dropped"]
    if not any(dropped.values()):
        return ""
    most, report = max(dropped, key=lambda name: dropped[name]), directory / "screen" / "report.md"
    return (
        f"its screen dropped {sum(dropped.values()):,} of {counts['read']:,}, most as {most!r}; "
        f"{str(report)!r} says why"
    )


def _about(
    source: ExampleSource, data: Path, directory: Path
) -> tuple[str, dict[str, Any], list[Path], bool]:
    """What the manifest compares: step, settings, files that are read, and whether it may differ.

    Files are written whole: of a source that wasn't finished, nothing can be mixed.
    """
    settings = asdict(source)
    if source.way == "collect":
        settings["options"]["teacher"] = without_credentials(source.options["teacher"])
    unfinished = manifest.read_manifest(directory).get("finished") is False
    anew = unfinished or manifest.holds_replies(directory)
    return "source", settings, source_inputs(source, data), anew


def _told(
    examples: Iterable[Example], name: str, progress: Callable[[str], None], plans: list[int]
) -> Iterator[Example]:
    """The same, told of now and then, while those that have a plan are counted in `plans[0]`."""
    for count, example in enumerate(examples, 1):
        plans[0] += len(example.plan) > 1
        yield example
        if count % _TOLD_EVERY == 0:
            progress(f"{name}: {count:,} examples")


def _examples(
    source: ExampleSource,
    data: Path,
    directory: Path,
    progress: Callable[[str], None],
    left_out: list[str],
) -> Iterable[Example]:
    options = source.checked_options()
    if isinstance(options, GenerateOptions):
        return generate(options.count, options.seed, options.kinds)
    if isinstance(options, CollectSettings):
        return _taught(source, options, directory / "collect", progress, left_out)
    noted = None if options.refuse_broken else left_out
    path = data_path(options.path, data)
    if isinstance(options, ExamplesOptions):
        return read_examples(path, noted)
    rows = read_dataset(options.kind, path, data_dir=data, broken=noted, split=source.split)
    if isinstance(options, SolutionOptions):
        turn = solver_lines if options.solver_lines else from_solution
        return _turned(rows, turn, left_out, source.split)
    return rows


def _taught(
    source: ExampleSource,
    settings: CollectSettings,
    directory: Path,
    progress: Callable[[str], None],
    left_out: list[str],
) -> Iterator[Example]:
    """What a teacher wrote; a question that it refuses for good is left out."""
    done = collect(settings, directory, lambda p: progress(str(p)), split=source.split)
    refused = done["refused"]
    left_out += [*refused, *done["unreadable_replies"], *done["broken_lines"]]
    if failed := done.get("failed", 0) - len(refused):
        raise UserError(
            f"the source {source.name!r}: {failed} of its questions failed for now "
            f"({done['failures'][0]}); what came is kept, run the same again to ask for the rest."
        )
    return read_examples(directory / EXAMPLES)


def _turned(
    rows: Iterable[Example],
    turn: Callable[[Example], Example | None],
    left_out: list[str],
    split: str,
) -> Iterator[Example]:
    """What worked solutions teach; those of the split that can't be turned are noted.

    They are never refused, since nothing is wrong with them.
    """
    for row in rows:
        if found := turn(row):
            yield found
        elif split in ("", split_of(row.id)):
            left_out.append(f"the row {row.id!r}: a step of its solution can't be worded or traced")


def _screened(
    source: ExampleSource, examples: Iterable[Example], data: Path, directory: Path
) -> Iterator[Example]:
    made = directory / "unscreened.jsonl"
    write_examples(made, examples)
    options = dict(source.screen or {})
    options["evaluation"] = [
        evaluation_reference(name, data) for name in options.get("evaluation", [])
    ]
    settings = checked(ScreenSettings, options, f"the source {source.name!r}, 'screen'")
    # It may have been done with other settings.
    screen(settings, [made], directory / "screen", anew=True)
    return read_examples(directory / "screen" / EXAMPLES)
