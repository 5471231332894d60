"""Pansharpening: fuse a sharp panchromatic band with coarse multispectral bands.

The few public functions, imported when touched:
sharpen, degrade, assess on arrays; sharpen_file, fit_files, degrade_file, assess_file, compare_files on files; load,
names; train, benchmark.
"""

__version__ = "0.2.0"

_PUBLIC = {
    "sharpen": "panflow.api",
    "degrade": "panflow.api",
    "assess": "panflow.assessment",
    "load": "panflow.zoo",
    "names": "panflow.registry",
    "sharpen_file": "panflow.scene.sharpen",
    "fit_files": "panflow.scene.sharpen",
    "assess_file": "panflow.scene.assess",
    "compare_files": "panflow.scene.compare",
    "degrade_file": "panflow.scene.degrade",
    "Scene": "panflow.files.scene",
    "Profile": "panflow.files.sink",
    "Analysis": "panflow.scene.analysis",
    "train": "panflow.training.loop",
    "benchmark": "panflow.bench.run",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'panflow' has no attribute {name!r}")
    import importlib

    from panflow.errors import needing

    with needing(f"panflow.{name}"):
        return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
