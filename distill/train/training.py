"""The training loop.

A loop of our own instead of `transformers.Trainer`, since batches are packed rows of several
widths with logits only where there is loss, stages follow shares of the time, and a checkpoint
has to be whole or absent whenever the process dies.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ...errors import UserError
from .. import manifest
from ..whole_files import write_text
from .checkpoint import (
    State,
    append_line,
    load_state,
    put_weights,
    read_log,
    save_state,
    trained_weights,
)
from .clock import Clock
from .curriculum import Curriculum, read_data, texts
from .curves import draw_curves
from .device import compiles, place
from .files import inherited, write_student
from .held_out import HeldOut
from .interrupt import interruptible
from .optimizer import optimizers_for, schedule
from .packing import CompletionLoss, Encoded, Rows, loss_weight, pack
from .settings import TrainSettings
from .student import context_of, load_student, load_tokenizer

_DRAW_SECONDS = 60
"""Least time between two pictures: drawing takes a second that training could have used."""


class Training:
    """One run of the train step, from its data to the saved student."""

    def __init__(
        self, settings: TrainSettings, directory: Path, progress: Callable[[str], None]
    ) -> None:
        self.settings, self.directory = settings, directory
        self.place = place(settings)
        self.first = self.place.rank == 0
        self.progress = progress if self.first else lambda _: None
        if self.place.slow_bfloat16:
            self.progress("this CPU has no bfloat16 units; with `precision: fp32` it is faster")
        self.before = inherited(settings)
        self.tokenizer = self._tokenizer()
        self.model = load_student(settings, self.tokenizer)
        self.max_tokens = min(settings.max_tokens or 10**9, context_of(self.model))
        self.data = read_data(settings, settings.sources, self.tokenizer, self.max_tokens)
        for path in self.data.undivided:
            self.progress(f"no row of {path} has a plan: it teaches a decomposer never to split")
        self.held_out = HeldOut(settings, self.tokenizer, self.max_tokens)
        self.model.to(self.place.device).train()
        self._compiles = compiles(settings, self.place.device, self.progress)
        self.loss = CompletionLoss(self.model, self._compiles)
        self.optimizers = optimizers_for(settings, self.model, self.place.bfloat16)
        self.state = State()
        self._resume()
        self.curriculum = Curriculum(settings, self.data, self.state.drawn)
        self._goal = self.curriculum.tokens_of(settings.epochs)
        self.clock = Clock(self.state.seconds, self.state.tokens)
        self._recent: list[torch.Tensor] = []
        self._drawn = time.monotonic()

    def run(self) -> dict[str, Any]:
        """Train to the end, save the student and finish the manifest.

        Raises:
            KeyboardInterrupt: On Ctrl-C, after the update under way is done and saved.
            UserError: If the loss is no longer a number.
        """
        state, settings = self.state, self.settings
        with interruptible() as interrupted:
            while (done := self._done()) < 1 and not self._stale():
                self._update(done)
                if self._compiles:
                    # That update compiled the layers: by the clock a short first stage would be
                    # over before its second batch.
                    self._compiles = False
                    self.clock.restart(state.tokens)
                if state.step % settings.log_every == 0:
                    self._log()
                if state.step % settings.eval_every == 0:
                    self._evaluate()
                if state.step % settings.save_every == 0 or interrupted():
                    self._save()
                if interrupted():
                    raise KeyboardInterrupt
        self._log()
        self._save()  # Evaluating takes a while, in which Ctrl-C works at once.
        if self.held_out and state.step % settings.eval_every:
            self._evaluate()  # Not saved: after a kill it is made again, and counts once.
        return self._finish()

    # One update

    def _update(self, done: float) -> None:
        """Draw a batch, add up its gradients, and move the weights."""
        settings, state = self.settings, self.state
        batch = self.curriculum.batch(done)
        weight = sum(loss_weight(sample, settings.prompt_weight) for sample in batch)
        total = torch.zeros((), device=self.place.device)
        for rows in self._packed(batch[self.place.rank :: self.place.world]):
            with self.place.autocast():
                loss = self.loss(rows.to(self.place.device)) / weight
            loss.backward()
            total += loss.detach()
        self.place.add_up(self.model.parameters(), total)
        weights = [p for p in self.model.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        self.optimizers.step(self._factor(done))
        self._recent.append(total)
        state.step += 1
        state.tokens += sum(len(ids) for ids, _ in batch)

    def _packed(self, batch: list[Encoded]) -> list[Rows]:
        settings = self.settings
        # With its padding a batch is larger than its tokens; a second pass for one row is slow.
        size = settings.micro_tokens or 2 * settings.batch_tokens
        return pack(batch, settings.row_tokens, size, settings.prompt_weight)

    # Where in the run we are

    def _done(self) -> float:
        """The share of the training that is behind us."""
        settings, state, done = self.settings, self.state, 0.0
        if settings.max_steps:
            done = state.step / settings.max_steps
        elif settings.epochs:
            done = state.tokens / self._goal
        if settings.max_minutes:
            seconds = self.clock.seconds()
            done = max(done, self.place.agreed(seconds / (60 * settings.max_minutes)))
        return done

    def _factor(self, done: float) -> float:
        of, step = self.settings, self.state.step
        return schedule(step, done, of.warmup, of.constant, of.floor)

    def _stale(self) -> bool:
        return 0 < self.settings.patience <= self.state.stale

    # Telling

    def _log(self) -> None:
        if not self._recent:
            return
        loss = float(torch.stack(self._recent).mean())
        self._recent.clear()
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is no longer a number after step {self.state.step}; "
                "lower the learning rates and train into another directory."
            )
        speed, done = self.clock.speed(self.state.tokens), self._done()
        self.state.loss = loss
        self._write_log(
            loss=round(loss, 5),
            rate=round(self._factor(done), 4),
            tokens=self.state.tokens,
            tokens_per_second=round(speed, 1),
            seconds=round(self.clock.seconds(), 1),
        )
        left = self.clock.seconds() * (1 - done) / max(done, 1e-9) / 60
        self.progress(
            f"step {self.state.step}: loss {loss:.3f}, {speed:,.0f} tokens/s, "
            f"{min(done, 1):.0%} done, {max(left, 0):.0f} min left"
        )

    def _write_log(self, **row: Any) -> None:
        if self.first:
            append_line(self.directory / "log.jsonl", {"step": self.state.step, **row})

    # Evaluation

    def _evaluate(self) -> None:
        """Measure the loss on held-out files; keep the weights if they are the best so far."""
        if not self.held_out:
            return
        self.model.eval()
        losses = self.held_out.losses(self.loss, self.place)
        self.model.train()
        state = self.state
        mean = self.place.agreed(sum(losses.values()) / len(losses))
        self._write_log(eval={k: round(v, 5) for k, v in losses.items()}, eval_loss=round(mean, 5))
        told = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        self.progress(f"step {state.step}: held out: {told}")
        if mean < state.best:
            state.best, state.best_step, state.stale = mean, state.step, 0
            if self.first:
                save_state(self.directory / "best.pt", {"weights": trained_weights(self.model)})
        else:
            state.stale += 1
        if time.monotonic() - self._drawn > _DRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self.first:
            draw_curves(read_log(self.directory / "log.jsonl"), self.directory / "curves.png")

    # Saving and going on

    def _save(self) -> None:
        self.state.seconds = self.clock.seconds()
        self.state.drawn = tuple(self.curriculum.drawn)
        if not self.first:
            return
        state = {
            "state": asdict(self.state),
            "weights": trained_weights(self.model),
            "optimizers": self.optimizers.state_dict(),
            "random": torch.get_rng_state(),
        }
        save_state(self.directory / "checkpoint.pt", state)

    def _resume(self) -> None:
        found = load_state(self.directory / "checkpoint.pt")
        log, every = self.directory / "log.jsonl", self.settings.eval_every
        if self.first:
            rows = read_log(log, up_to=found["state"]["step"] if found else -1)
            # The evaluation at the end is made again.
            kept = [row for row in rows if "eval" not in row or row.get("step", 0) % every == 0]
            write_text(log, "".join(json.dumps(row) + "\n" for row in kept))
        if not found:
            return
        self.state = State(**found["state"])
        put_weights(self.model, found["weights"])
        self.optimizers.load_state_dict(found["optimizers"])
        torch.set_rng_state(found["random"])
        self.progress(f"going on from step {self.state.step}")

    def _finish(self) -> dict[str, Any]:
        counts = self._counts()
        if self.first:
            if self.held_out and (best := load_state(self.directory / "best.pt")):
                put_weights(self.model, best["weights"])
            write_student(
                self.directory / "model",
                self.settings,
                self.model,
                self.tokenizer,
                self.data,
                self.before,
            )
            self._draw()
            manifest.finish(
                self.directory, "train", asdict(self.settings), self.settings.files, counts
            )
            for name in ("checkpoint.pt", "best.pt"):
                (self.directory / name).unlink(missing_ok=True)
        self.place.leave()
        return counts

    def _counts(self) -> dict[str, Any]:
        state = self.state
        return {
            "steps": state.step,
            "tokens": state.tokens,
            "seconds": round(self.clock.seconds(), 1),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "trained_parameters": sum(w.numel() for w in trained_weights(self.model).values()),
            "samples": sum(len(found) for found in self.data.by_file.values()),
            "too_long": self.data.too_long,
            "train_loss": round(state.loss, 4),
            "eval_loss": round(state.best, 4) if self.held_out else None,
            "best_step": state.best_step or state.step,
            "stopped_early": self._stale(),
        }

    def _tokenizer(self) -> Any:
        """The tokenizer; the first process trains it, the others wait for the files."""
        folder = self.directory / "tokenizer"
        if not self.first:
            self.place.wait()
        tokenizer = load_tokenizer(self.settings, texts(self.settings), folder)
        if self.first:
            self.place.wait()
        return tokenizer
