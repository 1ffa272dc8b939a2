"""The audit of a training set: one call, from a table to checked answers."""

from skdatamodels.auditing._audit import audit
from skdatamodels.auditing._command import run_command
from skdatamodels.auditing._effect_check import EffectCheck
from skdatamodels.auditing._groups import GroupAudit
from skdatamodels.auditing._model_score import ModelScore
from skdatamodels.auditing._result import Audit
from skdatamodels.auditing._trust import Trust

__all__ = [
    "Audit",
    "EffectCheck",
    "GroupAudit",
    "ModelScore",
    "Trust",
    "audit",
    "run_command",
]
