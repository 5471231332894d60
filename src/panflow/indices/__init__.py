"""Quality indices, one a file: frozen dataclasses `Index` that are called on a Case and give [B] values."""

from panflow.indices._case import Case, Index

__all__ = ["Case", "Index"]
