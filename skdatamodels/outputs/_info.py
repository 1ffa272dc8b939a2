"""OutputInfo: what outputs measure, and whether higher is better."""

from dataclasses import dataclass

__all__ = ["OutputInfo"]


@dataclass(frozen=True)
class OutputInfo:
    """What the outputs of runs measure.

    Runs, stores and fitted datamodels have this description, for functions that need to
    know whether higher outputs are better.

    Parameters
    ----------
    name : str, default="unknown"
        Name of the output, such as "margin".
    unit : str, default="unknown"
        Unit of the output, such as "log-odds".
    higher_is_better : bool or None, default=None
        Whether higher outputs are better. None if neither direction is better (as for a
        prediction), or if it is not known.

    Examples
    --------
    >>> from skdatamodels.outputs import OUTPUTS, OutputInfo
    >>> OUTPUTS["squared_error"].info
    OutputInfo(name='squared_error', unit='units of y squared', higher_is_better=False)
    >>> OutputInfo("profit", "euros", higher_is_better=True).sign
    1
    """

    name: str = "unknown"
    unit: str = "unknown"
    higher_is_better: bool | None = None

    def __post_init__(self):
        if not (isinstance(self.name, str) and isinstance(self.unit, str)):
            raise TypeError(
                f"name and unit must be str, got {self.name!r} and {self.unit!r}."
            )
        if self.higher_is_better not in (True, False, None):
            raise TypeError(
                "higher_is_better must be True, False or None, got "
                f"{self.higher_is_better!r}."
            )

    @property
    def sign(self):
        """1 if higher is better, -1 if lower is better, None if neither or unknown."""
        if self.higher_is_better is None:
            return None
        return 1 if self.higher_is_better else -1
