"""Pansharpening: fuse a sharp panchromatic band with coarse multispectral bands."""

__version__ = "0.1.0"
