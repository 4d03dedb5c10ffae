"""The ledger's second table: what papers claim of experiments, and what was measured of it here."""

from linreg_mirror.claims.claim import Claim, Pair
from linreg_mirror.claims.display import as_html, as_json, as_table, as_text, summary
from linreg_mirror.claims.effect import Effect
from linreg_mirror.claims.entries import CLAIMS
from linreg_mirror.claims.evidence import collect, stored
from linreg_mirror.claims.findings import Assessment, Measurement, evaluate
from linreg_mirror.claims.verdict import RULE, Reproduction

__all__ = [
    "CLAIMS",
    "RULE",
    "Assessment",
    "Claim",
    "Effect",
    "Measurement",
    "Pair",
    "Reproduction",
    "as_html",
    "as_json",
    "as_table",
    "as_text",
    "collect",
    "evaluate",
    "stored",
    "summary",
]
