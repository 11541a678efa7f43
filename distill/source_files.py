"""The files that sources of a recipe read: where they lie, and which these are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..evals.rows import json_rows
from .collect.collect import CollectSettings
from .collect.questions import dataset_file
from .importers import KINDS
from .screen.contamination import DEV, evaluation_file
from .source_options import GenerateOptions

if TYPE_CHECKING:
    from .sources import ExampleSource

TEACHER_SET = Path(__file__).parent / "teacher_set"
"""Plans that a strong language model wrote for this project."""


def data_path(name: str, data: Path) -> Path:
    """A data file: `teacher:FILE` is the project's own, the rest lies in the data folder.

    Raises:
        UserError: If it isn't there.
    """
    own = name.startswith("teacher:")
    path = TEACHER_SET / name.removeprefix("teacher:") if own else data / name
    if path.is_file():
        return path
    if path.is_dir():
        why = "is a folder; name the file in it"
    elif own:
        known = ", ".join(sorted(file.name for file in TEACHER_SET.glob("*.jsonl")))
        why = f"isn't there; the package has {known}"
    elif Path(name).is_absolute():
        why = "isn't there; check the path"
    else:
        why = (
            "isn't there; name the folder that holds it with --data (docs/distillation.md says "
            "where each set comes from)"
        )
    raise UserError(f"the data file {str(path)!r} {why}.")


def source_inputs(source: ExampleSource, data: Path) -> list[Path]:
    """Every file that a source reads, so that a change in any is noticed.

    Raises:
        UserError: If one isn't there.
    """
    options, found = source.checked_options(), list[Path]()
    if isinstance(options, CollectSettings):
        if file := dataset_file(options.questions):
            if not file.is_file():
                raise UserError(
                    f"the source {source.name!r} asks about {str(file)!r}, and there is no such "
                    "file; check the path."
                )
            found.append(file)
    elif not isinstance(options, GenerateOptions):
        found.append(data_path(options.path, data))
        if getattr(options, "kind", "") == "teacher":
            rows = (row for _, row in json_rows(found[0], []))  # Broken ones are told later.
            originals = dict.fromkeys(str(row["source"]) for row in rows if "source" in row)
            found += [data_path(name, data) for name in originals]
    evaluation = (source.screen or {}).get("evaluation", [])
    found += [evaluation_file(evaluation_reference(str(name), data))[1] for name in evaluation]
    # Absolute, so that names below the data folder count as they are, wherever that lies.
    return [path.absolute() for path in found]


def evaluation_reference(name: str, data: Path) -> str:
    """An evaluation set as the screen names it, `KIND:PATH`, with the data folder before it.

    A teacher file that isn't in that folder is the project's own.
    """
    part = DEV if name.startswith(DEV) else ""
    kind, colon, path = name.removeprefix(DEV).partition(":")
    if kind not in KINDS:  # The colon is the path's own, such as a drive's.
        kind, colon, path = "", "", name.removeprefix(DEV)
    own = kind == "teacher" and not (data / path).is_file()
    return f"{part}{kind}{colon}{data_path(f'teacher:{path}' if own else path, data)}"
