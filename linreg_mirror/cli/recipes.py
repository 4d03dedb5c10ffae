"""The command `recipes`."""

from rich.markup import escape

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, Refused, console, print_json


def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes of the package, for `train` and, where they say so, for `compare`."""
    try:
        from linreg_mirror.networks import recipes

        found = recipes.described()
    except ImportError as error:
        raise Refused(error) from None
    if as_json:
        print_json([one._asdict() for one in found])
        return
    shown = table("recipe", "for", "about", folded=("about",))
    for one in found:
        shown.add_row(one.name, "compare" if one.compares else "train", escape(one.about))
    console.print(shown)
    console.print("compare: `linreg-mirror compare RECIPE` trains several methods; `train` takes all.", highlight=False)
