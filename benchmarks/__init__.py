"""How long answers take, beside those of other people's solvers: `python -m benchmarks flow|minimum_l1|all`."""
