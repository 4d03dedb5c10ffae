"""Pictures of the theory, drawn from stored tables: `python -m figures all` from a checkout of the repository.

Each picture has a file with four functions: cells(quick) lists independent settings, compute(cell) returns what they
give, draw(rows) returns the picture of {**cell, **result} of all of them, caption(rows) its text.
"""
