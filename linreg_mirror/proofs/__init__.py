"""Proofs: answers for the data as the floats are, by exact and ball arithmetic, and a check that shares no code.

`prove` looks for a proof in floating point, and hands it to `verify`, which alone decides. Both need python-flint.
"""

from linreg_mirror.proofs._proof import Proof
from linreg_mirror.proofs._prove import prove
from linreg_mirror.proofs._verify import verify
from linreg_mirror.proofs.checks.balls import ProofError

__all__ = ["Proof", "ProofError", "prove", "verify"]
