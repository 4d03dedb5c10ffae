"""How Sphinx builds the documentation: offline, from the package of this checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import linreg_mirror

project = "linreg-mirror"
author = "The linreg-mirror authors"
copyright = author
version = release = linreg_mirror.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_nb",
    "numpydoc",
    "sphinx-mathjax-offline",
    "docs.extension",
]
exclude_patterns = ["_build", "generated/parts"]
default_role = "py:obj"  # single backquotes in docstrings: a link where there is something to link to
add_module_names = False
toc_object_entries_show_parents = "hide"
highlight_language = "none"  # what is not said to be Python is a command
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say it, with shapes
autosummary_generate = False
numpydoc_show_class_members = False
math_number_all = False

nb_execution_mode = "off"  # the tests run them
nb_mime_priority_overrides = [("html", "image/png", 10), ("html", "text/html", 20), ("html", "text/plain", 30)]

html_theme = "furo"
html_title = f"linreg-mirror {version}"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
