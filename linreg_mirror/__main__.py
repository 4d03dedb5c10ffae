"""The command line as `python -m linreg_mirror`, for environments whose scripts are not on the path."""

from linreg_mirror.cli import app

if __name__ == "__main__":
    app(prog_name="linreg-mirror")
