"""A run in numbers: the summary that the console prints and `--json` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isfinite
from typing import Any

from panflow.ops.mtf import MTF

LOW = 0.5  # injectability below which most of what a band gets is not its own


@dataclass
class Report:
    """Numbers of one run. shift_pixels: rows, columns, in PAN pixels, MS against its georeferencing; shift_windows: in
    which it was measured, shift_scatter: median distance of theirs from it, in PAN pixels; shift_varies: PAN
    pixels by which the offset that was corrected differs from it at most, by place; evaluations:
    of a learned model's network, one after the other (0: the method has none); mtf_gains: of the bands at
    MS's Nyquist frequency, as they were used; mtf_source: "estimated" from the scene, the "sensor", "given",
    "recorded" by `degrade`, or "unused" by the method; mtf_confidence: of the estimate, whether it was used or not;
    part: the PAN pixels that were asked for (top, bottom, left, right; None: all); verdict: "good", "doubtful" or
    "bad", reasons: why, in words, which are among the warnings too; bands:
    their names; agreement: of PAN and MS, `ops.agreement.Agreement`; weights: of the bands in the intensity that a
    method takes for PAN, by what they are: "mean", "sensor", "fit" or "given" (weights_source); written: the bands of
    the result, where it has not all; consistency: where that was asked for, "rms" and "max" by band that is written:
    counts by which the result, degraded again, differs from MS; flagged: pixels that have each flag, where there is a
    file of them."""

    output: str
    sensor: str
    method: str
    ratio: tuple[float, float]
    phase: tuple[float, float]
    shift_pixels: tuple[float, float]
    shift_applied: bool
    shift_confidence: float
    fit_r2: tuple[float, float]
    band_shifts: list[tuple[float, float]]
    clipped_pixels: int
    nodata_pixels: int
    pixels: int
    seconds: float
    mpix_per_second: float
    peak_mib: float
    shift_windows: int = 0
    shift_scatter: float = float("nan")
    shift_varies: float = 0.0
    sensor_reason: str = ""
    evaluations: int = 0
    mtf_gains: list[float] = field(default_factory=list)
    mtf_source: str = "sensor"
    mtf_confidence: float = float("nan")
    warnings: list[str] = field(default_factory=list)
    part: tuple[int, int, int, int] | None = None
    verdict: str = ""
    reasons: list[str] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    agreement: dict[str, Any] = field(default_factory=dict)
    weights: list[float] = field(default_factory=list)
    weights_source: str = ""
    written: list[str] = field(default_factory=list)
    consistency: dict[str, list[float]] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict)

    @property
    def corrected_shift(self) -> tuple[float, float]:
        """The offset of MS that the result is corrected by."""
        return self.shift_pixels if self.shift_applied else (0.0, 0.0)

    @property
    def for_quicklook(self) -> dict[str, Any]:
        """What `quicklook_file` should hear of the run."""
        return {"shift": self.corrected_shift, "name": self.method, "part": self.part}

    def as_dict(self) -> dict:
        return plain(asdict(self))

    def lines(self) -> list[tuple[str, str]]:
        """(name, value) as the console shows them."""
        y, x = self.shift_pixels
        applied = "corrected" if self.shift_applied else "not corrected"
        before, after = self.fit_r2
        among = f" of {self.shift_windows} windows, scatter {self.shift_scatter:.2f}" if self.shift_windows > 1 else ""
        sure = f"confidence {self.shift_confidence:.2f}{among}" if before == before else "as given"
        varies = f", with the place by up to {self.shift_varies:.2f} more or less" if self.shift_varies else ""
        shift = f"{y:+.2f}, {x:+.2f} PAN pixels (rows, columns){varies}, {applied}; {sure}"
        fit = f"{before:.3f} as georeferenced, {after:.3f} at the measured offset"
        gains = MTF(tuple(self.mtf_gains), self.mtf_source, self.mtf_confidence) if self.mtf_gains else ""
        moved = [f"{n + 1}: {b[0]:+.2f}, {b[1]:+.2f}" for n, b in enumerate(self.band_shifts) if b != (0.0, 0.0)]
        rows = [
            ("output", self.output),
            ("verdict", self.verdict),
            ("bands", ", ".join(self.written)),
            ("part", "rows {} to {}, columns {} to {}".format(*self.part) if self.part else ""),
            ("sensor", f"{self.sensor} ({self.sensor_reason})" if self.sensor_reason else self.sensor),
            ("ratio", f"{self.ratio[0]:.4g} x {self.ratio[1]:.4g}"),
            ("phase", f"{self.phase[0]:.2f}, {self.phase[1]:.2f} PAN pixels"),
            ("shift", shift if before == before or self.shift_applied else "not measurable: too little in common"),
            ("bands fit PAN", f"R2 {fit}" if before == before else ""),
            ("band shifts", "; ".join(moved)),
            ("method", self.method),
            ("injectability", _by_band(self.bands, self.agreement.get("injectability", ()), LOW)),
            ("weights", f"{_by_band(self.bands, self.weights)} ({self.weights_source})" if self.weights else ""),
            ("evaluations", str(self.evaluations) if self.evaluations else ""),
            ("MTF gains", str(gains)),
            ("consistency", self._bounds()),
            ("flagged", self._flags()),
            ("clipped pixels", f"{self.clipped_pixels:,}"),
            ("nodata pixels", f"{self.nodata_pixels:,} of {self.pixels:,}"),
            ("time", f"{self.seconds:.2f} s, {self.mpix_per_second:.1f} MPix/s, peak memory {self.peak_mib:.0f} MiB"),
        ]
        return [(name, value) for name, value in rows if value]

    def _flags(self) -> str:
        return ", ".join(f"{name} {100 * n / self.pixels:.2g} %" for name, n in self.flagged.items())

    def _bounds(self) -> str:
        if not self.consistency:
            return ""
        rms, most = (", ".join(f"{v:.3g}" for v in self.consistency[key]) for key in ("rms", "max"))
        return f"degraded again it is MS within {most} counts (by band), RMS {rms}"


def _by_band(bands: Sequence[str], values: Sequence[float], low: float = -inf) -> str:
    return ", ".join(f"{name} {v:.2f}{' (low)' if v < low else ''}" for name, v in zip(bands, values))


def plain(value: Any) -> Any:
    """What JSON can hold of nested values: it has neither NaN nor infinity, which become None."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
