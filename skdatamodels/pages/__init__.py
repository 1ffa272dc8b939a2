"""HTML pages on which people explore attributions and answer questions."""

from skdatamodels.pages._explorer import write_explorer
from skdatamodels.pages._selection import read_selection

__all__ = ["read_selection", "write_explorer"]
