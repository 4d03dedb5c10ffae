"""Counts in sentences."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number and its noun: 1 theorem, 2 theorems.

    Parameters
    ----------
    number : int
        How many.
    one : str
        The noun in the singular.
    many : str, optional
        The plural. Default: with an s.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
