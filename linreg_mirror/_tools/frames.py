"""Tables for pandas, which need not be installed."""

from typing import Any


def dataframe(**columns: Any) -> Any:
    """Return a pandas DataFrame of these columns.

    Parameters
    ----------
    **columns
        Arrays or lists of one length, by name.

    Raises
    ------
    ModuleNotFoundError
        If pandas is missing.
    """
    try:
        import pandas as pd  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("to_dataframe() needs pandas: pip install pandas") from error
    return pd.DataFrame(columns)
