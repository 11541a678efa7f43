"""The training data in the order in which it is learned: stages, weights, batches."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..records import read_examples
from .encoding import Key, encode_files
from .mixture import Source
from .packing import Encoded
from .samples import samples
from .settings import TrainSettings


@dataclass
class Data:
    """Encoded samples of every file, and what is to be told about them."""

    by_file: dict[Key, list[Encoded]] = field(default_factory=dict)
    described: list[dict[str, Any]] = field(default_factory=list)
    max_tokens: int = 0
    too_long: int = 0
    longest: int = 0
    undivided: list[str] = field(default_factory=list)


def texts(settings: TrainSettings) -> Iterator[str]:
    """What a tokenizer is trained on: every training sample, each file once."""
    for path, roles in dict.fromkeys(_key(settings, source) for source in settings.sources):
        for example in read_examples(Path(path)):
            for role in roles:
                for messages, completion in samples(example, role):
                    yield messages[-1]["content"] + "\n" + completion


def read_data(
    settings: TrainSettings, sources: Sequence[Source], tokenizer: Any, max_tokens: int
) -> Data:
    """Read and encode files; samples that don't fit the context are left out and counted.

    Raises:
        UserError: If a file has no sample for the roles.
    """
    data = Data(max_tokens=max_tokens)
    keys = dict.fromkeys(_key(settings, source) for source in sources)
    for key, file in encode_files(keys, tokenizer, max_tokens).items():
        data.by_file[key] = list(file)
        if "decomposer" in key[1] and not file.has_plans:
            data.undivided.append(key[0])
        data.too_long += file.too_long
        data.longest = max(data.longest, int(file.sizes[:, 0].max()))
        data.described += file.described
    return data


class Curriculum:
    """Batches of samples after those `drawn`; for the same seed always the same."""

    def __init__(self, settings: TrainSettings, data: Data, drawn: Sequence[int] = ()) -> None:
        self.drawn = list(drawn) or [0] * len(settings.stages)
        self._ends = _ends(settings)
        self._settings = settings
        self._data = data
        self._streams = [self._batches(k) for k in range(len(settings.stages))]
        for stream, count in zip(self._streams, self.drawn, strict=True):
            for _ in range(count):
                next(stream)

    def batch(self, done: float) -> list[Encoded]:
        """The next batch, of the stage that is on when this share of the training is done."""
        last = len(self._ends) - 1
        stage = next((k for k, end in enumerate(self._ends) if done < end), last)
        self.drawn[stage] += 1
        return next(self._streams[stage])

    def epoch_tokens(self) -> float:
        """Tokens of one pass over the last stage's mixture."""
        sources = self._settings.stages[-1].data
        sizes = [
            sum(len(ids) for ids, _ in self._data.by_file[_key(self._settings, s)]) for s in sources
        ]
        return sum(s.weight * size for s, size in zip(sources, sizes, strict=True))

    def tokens_of(self, epochs: float) -> float:
        """Tokens of the whole training, if its last stage is to make so many passes."""
        begin = self._ends[-2] if len(self._ends) > 1 else 0.0
        return epochs * self.epoch_tokens() / (1 - begin)

    def _batches(self, stage: int) -> Iterator[list[Encoded]]:
        batch: list[Encoded] = []
        tokens = 0
        for sample in self._endless(stage):
            if batch and tokens + len(sample[0]) > self._settings.batch_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append(sample)
            tokens += len(sample[0])

    def _endless(self, stage: int) -> Iterator[Encoded]:
        epoch = 0
        while True:
            order = random.Random(f"{self._settings.seed}/{stage}/{epoch}")
            mixture: list[Encoded] = []
            for source in self._settings.stages[stage].data:
                found = self._data.by_file[_key(self._settings, source)]
                mixture += _weighted(found, source.weight, order)
            order.shuffle(mixture)
            yield from mixture
            epoch += 1


def _key(settings: TrainSettings, source: Source) -> Key:
    return source.path, source.roles or settings.roles


def _weighted(found: list[Encoded], weight: float, order: random.Random) -> list[Encoded]:
    """The samples as often as the weight says; a fraction is drawn anew each epoch."""
    whole = int(weight)
    rest = round((weight - whole) * len(found))
    # A small file with a small weight still comes up: at least one sample an epoch.
    return found * whole + order.sample(found, max(rest, 0 if whole else 1))


def _ends(settings: TrainSettings) -> list[float]:
    """Up to which share of the training each stage lasts; those without a share split the rest."""
    left = 1 - sum(stage.share for stage in settings.stages)
    open_ended = sum(stage.share == 0 for stage in settings.stages)
    return [*accumulate(stage.share or left / open_ended for stage in settings.stages)]
