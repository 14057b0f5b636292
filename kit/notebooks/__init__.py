"""A strict papermill: unknown parameters are errors, and a run completed only if every cell did.

Importing this pulls in neither papermill nor jupyter: only the process that runs a notebook does.
"""

from kit.notebooks.house_rules import check_notebook
from kit.notebooks.locate import find_notebook, notebook_names
from kit.notebooks.outcome import NotebookOutcome
from kit.notebooks.parameters import Parameter, read_parameters
from kit.notebooks.runner import run_notebook
from kit.notebooks.settings import parse_settings

__all__ = [
    "NotebookOutcome",
    "Parameter",
    "check_notebook",
    "find_notebook",
    "notebook_names",
    "parse_settings",
    "read_parameters",
    "run_notebook",
]
