"""Wrong formulas, one at a time, to see what catches them."""

from tools.mutants import batches, gates, masks, potentials, solvers, statements, steps

MUTANTS = (
    *batches.MUTANTS,
    *gates.MUTANTS,
    *masks.MUTANTS,
    *potentials.MUTANTS,
    *solvers.MUTANTS,
    *statements.MUTANTS,
    *steps.MUTANTS,
)
