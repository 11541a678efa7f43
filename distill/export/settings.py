"""How a checkpoint is exported; read without numpy, so that every step's `--help` has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError

QUANTISATIONS = (
    "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
    "iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k",
)  # fmt: skip
"""What llama.cpp makes without an importance matrix, from large to small."""


@dataclass(frozen=True)
class ExportSettings:
    """How a checkpoint is exported.

    Args:
        quantisations: Files to make beside the F16 one, such as `q8_0` or `q4_k_m`.
        name: The model's name in the file; the directory's by default.
        converter: Path of llama.cpp's convert_hf_to_gguf.py, for what isn't exported here.
        threads: CPU threads for quantisation; 0 takes all cores.

    Raises:
        UserError: If a value can't be right.
    """

    quantisations: tuple[str, ...] = ("q8_0",)
    name: str = ""
    converter: str = ""
    threads: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.quantisations, str):
            raise UserError("'quantisations' is a list, such as [q8_0].")
        object.__setattr__(self, "quantisations", tuple(self.quantisations))
        for kind in self.quantisations:
            if kind not in QUANTISATIONS:
                known = ", ".join(QUANTISATIONS)
                raise UserError(f"there is no quantisation {kind!r}; there are {known}.")
        if self.converter and not Path(self.converter).is_file():
            raise UserError(f"there is no converter {self.converter!r}; check the path.")
        if self.threads < 0:
            raise UserError("'threads' is 0 (all cores) or more.")
