"""Which method to take, and why, in words: from scores of methods on the same crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from panflow.indices._case import shortfall
from panflow.indices._sets import load

PURPOSES = {  # what counts for it
    "the eye": ("detail_gain", "detail_correlation", "fine_colour", "d_lambda_k"),
    "analysis": ("r_ergas", "d_lambda_k", "sam", "ergas", "q2n"),
}
WORDS = {
    "detail_gain": "it shows {:.2f} of PAN's fine detail",
    "detail_correlation": "its detail is PAN's (correlation {:.3f})",
    "fine_colour": "its fine colour is {:.3f}, where true images have about 0.06",
    "d_lambda_k": "its colours are those of MS (D_lambda_K {:.3f})",
    "r_ergas": "the MS sensor would see in it what it saw (R-ERGAS {:.2f})",
    "sam": "reduced, its spectra are true to {:.2f} degrees (SAM)",
    "ergas": "reduced, its values are close to the truth (ERGAS {:.2f})",
    "q2n": "reduced, it resembles the truth (Q2n {:.3f})",
}
STEPS = {  # differences that are none
    "detail_gain": 0.05, "detail_correlation": 0.02, "fine_colour": 0.03, "d_lambda_k": 0.01,
    "r_ergas": 0.05, "sam": 0.05, "ergas": 0.05, "q2n": 0.005,
}  # fmt: skip
SHARP = 0.5  # of PAN's detail: what shows less is not sharpened
NEAR = 1 / 3  # of the way from the best rank to the worst: a reason to take a method


@dataclass(frozen=True)
class Advice:
    """method: to take for a purpose; reasons: where it is among the best, the strongest first; weakest: where it is
    not, beside the best there (empty: nowhere); second: the next best method (empty: there is none)."""

    purpose: str
    method: str
    reasons: tuple[str, ...]
    weakest: str
    second: str

    def __str__(self) -> str:
        text = f"for {self.purpose} take {self.method}: {'; '.join(self.reasons) or 'the others are worse still'}"
        text += f"; at its weakest, {self.weakest}" if self.weakest else ""
        return text + (f". Next best: {self.second}" if self.second else "")


def advise(scores: Mapping[str, Mapping[str, float]]) -> list[Advice]:
    """For every purpose the method of the best mean rank over the indices that count for it; scores: of a method, its
    indices. Methods that leave out more than half of PAN's detail are no choice; nothing where all do."""
    sharp = {name: values for name, values in scores.items() if values["detail_gain"] >= SHARP}
    return [_advice(purpose, indices, sharp) for purpose, indices in PURPOSES.items() if sharp]


def _advice(purpose: str, indices: Sequence[str], scores: Mapping[str, Mapping[str, float]]) -> Advice:
    names = list(scores)
    short = {index: [_shortfall(index, scores[name][index]) for name in names] for index in indices}
    ranks = {index: _ranks(values, STEPS[index]) for index, values in short.items()}
    first, *others = sorted(range(len(names)), key=lambda k: sum(rank[k] for rank in ranks.values()))
    own = sorted((ranks[index][first], index) for index in indices)
    reasons = tuple(WORDS[index].format(scores[names[first]][index]) for rank, index in own if rank <= NEAR)
    rank, index = own[-1]
    best = names[int(np.argmin(short[index]))]
    mine, least = (scores[name][index] for name in (names[first], best))
    weakest = f"{load(index).title} is {mine:.3g}, where {best} has {least:.3g}" if rank > NEAR else ""
    return Advice(purpose, names[first], reasons, weakest, names[others[0]] if others else "")


def _shortfall(index: str, value: float) -> float:
    kind = load(index)
    return shortfall(value, kind.better, kind.ideal) if isfinite(value) else inf


def _ranks(short: Sequence[float], step: float) -> list[float]:
    """From 0, where none is better by more than a step, to 1, where all are."""
    return [sum(other < one - step for other in short) / max(len(short) - 1, 1) for one in short]


__all__ = ["Advice", "advise"]
