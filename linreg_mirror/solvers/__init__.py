"""Where flows, descents and limits end, each answer with a certificate."""

from linreg_mirror.solvers.results import Certificate, Check, Solution, Stats, Status, Trajectory

__all__ = ["Certificate", "Check", "Solution", "Stats", "Status", "Trajectory"]
