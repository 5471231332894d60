"""Which indices: by name, as named sets of the literature, or as objects with options."""

from collections.abc import Iterable, Mapping
from typing import Any

from panflow import registry
from panflow.errors import InputError
from panflow.indices._case import Index

# Name -> options of each set.
SETS: dict[str, dict[str, dict[str, Any]]] = {
    # the tables of [vivone2021] and [dlpan]
    "toolbox": {name: {} for name in ("q2n", "q_avg", "sam", "ergas", "scc", "d_lambda_k", "d_s", "hqnr")},
    # the tables of [otfm]; its D_lambda is Khan's, since its HQNR is (1 - D_lambda)(1 - D_s)
    "otfm": {name: {} for name in ("sam", "ergas", "q2n", "scc", "d_lambda_k", "d_s", "hqnr")},
    # the evaluation of [unipan]: one window a whole image, D_rho against MS
    "unipan": {
        "d_lambda": {"variant": "global"},
        "d_s": {"variant": "global"},
        "qnr": {"variant": "global"},
        "d_rho": {"half": 8, "against": "ms"},
    },
}

Choice = str | Index | Mapping[str, Any] | Iterable[str | Index] | None


def load(name: str, **options: Any) -> Index:
    """The index of a name, with its options (`load("d_rho", half=8)`)."""
    registry.closest("index", name, registry.names("indices"))
    try:
        return registry.get("indices", name).Index(**options)
    except TypeError as error:
        raise InputError(f"index {name!r} does not take {', '.join(options)}: {error}") from None


def name_of(index: Index) -> str:
    """The name under which an index object is filed."""
    return type(index).__module__.rsplit(".", 1)[-1]


def choose(choice: Choice, available: set[str]) -> dict[str, Index]:
    """Indices by label. What a set (or None: all of them) holds is left out where its input is missing.

    choice: a set's name, an index's name, an index, several of them, or a mapping: of names to options, or of any
    labels to names or indices. available: of "reference" and "pair". Raises InputError where an input is missing
    for an index asked for by name, or for a whole set, and UnknownName.
    """
    whole = choice is None or (isinstance(choice, str) and choice in SETS)
    if choice is None:
        choice = registry.names("indices")
    elif isinstance(choice, str):
        registry.closest("index or set of indices", choice, (*registry.names("indices"), *SETS))
        choice = SETS.get(choice, [choice])
    chosen = _labelled(choice)
    usable = {label: index for label, index in chosen.items() if index.needs in available}
    if len(usable) < len(chosen) and not (whole and usable):
        label = next(label for label, index in chosen.items() if index.needs not in available)
        wanted = "a reference" if chosen[label].needs == "reference" else "pan and ms"
        raise InputError(f"the index {label!r} needs {wanted}, which did not come")
    return usable


def _labelled(choice: Any) -> dict[str, Index]:
    if isinstance(choice, Mapping):
        return {label: load(label, **one) if isinstance(one, Mapping) else _one(one) for label, one in choice.items()}
    entries = [choice] if callable(choice) else list(choice)
    return {entry if isinstance(entry, str) else name_of(entry): _one(entry) for entry in entries}


def _one(entry: str | Index) -> Index:
    return load(entry) if isinstance(entry, str) else entry
