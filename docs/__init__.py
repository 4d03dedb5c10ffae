"""The documentation: `make docs` builds it from the package, the ledger, and results that are stored beside it."""
