"""`decompose distill run RECIPE.yaml`: sources, training, export and check in one go.

    OUT/sources/NAME/    the examples of each source, made, screened and varied
    OUT/train/           the student and its curves
    OUT/export/          GGUF files
    OUT/quality/         how good the smallest file is on held-out questions
    OUT/check/           the release gate: check.md, and a model card for each file

Each step is skipped if it was done before with the same settings and data, so that a run which
was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models.gguf_file import read_contract
from . import manifest
from .check.check import check
from .check.quality_table import quality_table
from .check.settings import CheckSettings
from .export.export import ExportSettings, check_exportable, export
from .export.gguf_tensors import architecture_of
from .export.gguf_tokenizer import check_tokenizer
from .make_sources import make_sources
from .processes import rank_and_world
from .records import read_examples
from .screen.contamination import repeated_questions
from .sources import ExampleSource
from .train.train import TrainSettings, check_machine, train
from .yaml_settings import checked, read_yaml

RECIPES = Path(__file__).parent / "recipes"
"""Recipes that come with the package, named without their `.yaml`."""

STEPS = ("sources", "train", "export", "check")
_EXPORT = "'export' of the recipe"
_KEYS = {"name", "sources", "train", "export", "check"}


@dataclass(frozen=True)
class Recipe:
    """What is made from what.

    Args:
        name: Of the model.
        sources: Where examples come from, by name.
        train: Settings of the training; its stages name sources in place of files.
        export: Settings of the export.
        check: Settings of the release gate; `held_out` names sources to check with.
    """

    name: str
    sources: dict[str, ExampleSource]
    train: dict[str, Any]
    export: dict[str, Any]
    check: dict[str, Any]

    @classmethod
    def of(cls, row: Any) -> Recipe:
        """From parsed YAML.

        Raises:
            UserError: If something is missing or unknown.
        """
        if not isinstance(row, dict) or not {"name", "sources", "train"} <= row.keys():
            raise UserError("a recipe is a mapping with 'name', 'sources' and 'train'.")
        if unknown := row.keys() - _KEYS:
            known = ", ".join(sorted(_KEYS))
            raise UserError(f"{min(map(str, unknown))!r} is no part of a recipe; it has {known}.")
        sections = [row.get(key) or {} for key in ("sources", "train", "export", "check")]
        if not all(isinstance(section, dict) for section in sections):
            raise UserError("'sources', 'train', 'export' and 'check' of a recipe are mappings.")
        sources = {str(k): ExampleSource.of(str(k), v) for k, v in sections[0].items()}
        if not (name := str(row["name"] or "").strip()):
            raise UserError("the recipe's 'name' is empty; it names the model.")
        recipe = cls(name, sources, *sections[1:])
        # A mistake shows at once, not after an hour of training.
        files = {name: Path(name) for name in sources}
        recipe.training(files)
        checked(ExportSettings, recipe.export, _EXPORT)
        recipe.checking(files)
        return recipe

    def training(self, files: dict[str, Path]) -> TrainSettings:
        """The training's settings with the sources' files put in."""
        settings = {"recipe": self.name, **self.train}
        if isinstance(stages := settings.get("stages"), list):
            settings["stages"] = [_with_files(stage, "data", files) for stage in stages]
        settings = _with_files(settings, "eval_data", files)
        return checked(TrainSettings, settings, "'train' of the recipe")

    def checking(self, files: dict[str, Path]) -> tuple[CheckSettings, dict[str, Path], int | None]:
        """Settings of the release gate, the held-out files by name, and how many rows of each."""
        row = dict(self.check)
        named, limit = row.pop("held_out", []), row.pop("limit", None)
        if not isinstance(named, list) or not all(name in [*files] for name in named):
            raise UserError("'held_out' of the recipe's check is a list of its sources.")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise UserError("'limit' of the recipe's check is a whole number from 1.")
        settings = checked(CheckSettings, row, "'check' of the recipe")
        return settings, {name: files[name] for name in named}, limit


def load_recipe(name: str) -> Recipe:
    """A recipe from a file, or one that comes with the package.

    Raises:
        UserError: If there is none, or it is no recipe.

    Example:
        >>> load_recipe("cpu").name  # doctest: +SKIP
        'decompose'
    """
    path = RECIPES / f"{name}.yaml" if (RECIPES / f"{name}.yaml").is_file() else Path(name)
    try:
        return Recipe.of(read_yaml(path, f"the recipe {name!r}"))
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise UserError(
            f"the recipe {name!r} can't be read ({error.strerror}); name a file, or one of {known}."
        ) from None


def run_recipe(
    recipe: Recipe,
    out: Path,
    data: Path,
    say: Callable[[str], None] = lambda _: None,
    until: str = "check",
) -> dict[str, Any]:
    """Do everything that isn't done yet.

    What is large is done in processes that import the main script: one of yours calls this under
    `if __name__ == "__main__"`.

    Args:
        recipe: What to make.
        out: The directory of the run.
        data: The folder that holds the third-party data sets.
        say: Gets a line now and then.
        until: The last step to do; one of `STEPS`.

    Returns:
        What each step counted, by step, and under `left_out` the rows of each source that
        couldn't be used.

    Raises:
        UserError: If data, machine or disk aren't fit for it; what is done stays done.
    """
    steps = _steps(until)
    unmade = {name: Path(name) for name in recipe.sources}
    settings = recipe.training(unmade)
    trained = manifest.read_manifest(out / "train").get("finished")
    if "train" in steps and not trained:
        check_machine(settings)  # Before hours of collecting.
        if not recipe.export.get("converter"):
            _check_student(settings)
    if "check" in steps and not recipe.checking(unmade)[1]:
        raise UserError("the recipe names nothing to check with: 'held_out' under 'check'.")
    files = make_sources(recipe.sources, data, out / "sources", say)
    done: dict[str, Any] = {"sources": {name: str(path) for name, path in files.items()}}
    if left_out := _left_out(files):
        done["left_out"] = left_out
    if "train" in steps:
        if not trained:
            _tell_what_is_repeated(recipe, files, say)
        done["train"] = train(recipe.training(files), out / "train", say)
    if "export" in steps:
        how = checked(ExportSettings, {"name": recipe.name, **recipe.export}, _EXPORT)
        done["export"] = export(how, out / "train" / "model", out / "export", say)
    if "check" in steps:
        done["check"] = _check(recipe, files, out, say)
    return done


def _steps(until: str) -> tuple[str, ...]:
    """The steps up to one.

    Raises:
        UserError: If there is no such step, or several processes would do each of them at once.
    """
    if until not in STEPS:
        raise UserError(f"there is no step {until!r}; the steps are {', '.join(STEPS)}.")
    if rank_and_world()[1] > 1:
        raise UserError(
            "a recipe is run by one process; for several GPUs make its sources with "
            "`--until sources`, and start `decompose distill train` by torchrun."
        )
    return STEPS[: STEPS.index(until) + 1]


def _left_out(files: Mapping[str, Path]) -> dict[str, int]:
    """How many rows of each source couldn't be used, where there are any."""
    counts = {name: manifest.read_manifest(path.parent)["counts"] for name, path in files.items()}
    return {name: row["left_out"] for name, row in counts.items() if row["left_out"]}


def _tell_what_is_repeated(
    recipe: Recipe, files: dict[str, Path], say: Callable[[str], None]
) -> None:
    """Say so if held-out questions are trained on: what is measured on them means little."""
    settings, checked_with = recipe.training(files), recipe.checking(files)[1]
    held_out = {*checked_with.values(), *(Path(source.path) for source in settings.eval_data)}
    training = {Path(source.path) for source in settings.sources}
    repeated, all_of_them = repeated_questions(held_out, training)
    if repeated:
        say(
            f"{repeated} of {all_of_them} held-out questions are trained on as well; name their "
            "file under 'evaluation' of the sources' 'screen'"
        )


def _check_student(settings: TrainSettings) -> None:
    """Refuse a student of others, or its tokenizer, that couldn't be exported once trained."""
    from .train.student import load_config, load_tokenizer

    if settings.student == "scratch":
        if settings.scratch.tokenizer:
            check_tokenizer(load_tokenizer(settings, (), Path()))
        return
    config = load_config(settings)
    architecture_of(config.to_dict())  # First: its tokenizer may need another package.
    check_exportable(config, load_tokenizer(settings, (), Path()))


def _check(
    recipe: Recipe, files: dict[str, Path], out: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """The release gate, with quality measured on the held-out sources that `check` names."""
    settings, paths, limit = recipe.checking(files)
    made = sorted((out / "export").glob("*.gguf"))
    smallest = min(made, key=lambda path: path.stat().st_size)
    # Students without a role of the contract write neither plans nor expressions.
    plans = read_contract(smallest) is not None
    rows = quality_table(smallest, paths, limit, out / "quality", say) if plans else []
    examples = [example for path in paths.values() for example in read_examples(path)]
    model, name = out / "train" / "model", smallest.name
    return check(settings, model, made, examples, out / "check", say, rows, name)


def _with_files(row: Any, key: str, files: dict[str, Path]) -> Any:
    """A mapping with files in place of the sources under a key; anything else as it is."""
    if not isinstance(row, dict) or not isinstance(row.get(key), list):
        return row
    return {**row, key: [_with_file(entry, files) for entry in row[key]]}


def _with_file(entry: Any, files: dict[str, Path]) -> Any:
    """A stage's entry, `NAME` or `{source: NAME, weight: 2}`, with the file in it."""
    if not isinstance(entry, str | dict):
        return entry
    row = {"source": entry} if isinstance(entry, str) else dict(entry)
    if "source" not in row:
        raise UserError(f"the training's data is named as 'source: NAME' in a recipe, not {row}.")
    name = row.pop("source")
    if name not in [*files]:
        raise UserError(f"the training names a source {name!r} that the recipe doesn't have.")
    return {**row, "path": str(files[name])}
