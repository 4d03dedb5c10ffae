"""The checks of proofs, one for each kind. They use nothing of the solvers or of the prover."""

from linreg_mirror.proofs.checks.bounds import check_enclosure, check_inconsistent
from linreg_mirror.proofs.checks.limit import check_limit
from linreg_mirror.proofs.checks.vertex import check_vertex

CHECKS = {
    "vertex": check_vertex,
    "enclosure": check_enclosure,
    "inconsistent": check_inconsistent,
    "limit": check_limit,
}
