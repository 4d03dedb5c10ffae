"""The command line as a module: `python -m linreg_mirror.cli`."""

from linreg_mirror.cli import app

app()
