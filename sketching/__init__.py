"""Masks as sketches: how well a random or chosen subset of coordinates stands for the whole."""

__all__: list[str] = []
