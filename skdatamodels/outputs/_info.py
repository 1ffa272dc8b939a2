"""OutputInfo: what outputs measure, and whether higher is better."""

from dataclasses import dataclass

__all__ = ["OutputInfo"]


@dataclass(frozen=True)
class OutputInfo:
    """What the outputs of runs measure.

    Runs, stores and fitted datamodels carry it, so that whatever needs to know which
    way is better can ask.

    Parameters
    ----------
    name : str, default="unknown"
        Such as "margin".
    unit : str, default="unknown"
        Such as "log-odds".
    higher_is_better : bool or None, default=None
        None if neither is better (a prediction), or nobody said.

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
        """1 if higher is better, -1 if lower is, None if neither or nobody said."""
        if self.higher_is_better is None:
            return None
        return 1 if self.higher_is_better else -1
