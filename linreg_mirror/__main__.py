"""The command line as `python -m linreg_mirror`, for environments whose scripts are not on the path."""

from linreg_mirror.cli import app

app(prog_name="linreg-mirror")
