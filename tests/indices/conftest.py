"""Fixtures of indices."""

from index_images import arrays, case, whole  # noqa: F401
