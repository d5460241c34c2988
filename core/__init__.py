"""Patchbay's core: the product, without cloud events and web servers."""

__version__ = "0.1.0"
