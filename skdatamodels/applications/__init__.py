"""Applications of attribution matrices."""

from skdatamodels.applications._adaptive_order import adaptive_order
from skdatamodels.applications._annotation_page import (
    read_annotations,
    write_annotation_page,
)
from skdatamodels.applications._compare_learners import (
    LearnerComparison,
    compare_learners,
)
from skdatamodels.applications._component_effects import (
    ComponentEffects,
    component_effects,
)
from skdatamodels.applications._counterfactual_effects import (
    Correlation,
    CounterfactualEffects,
)
from skdatamodels.applications._counterfactuals import (
    CounterfactualEvaluation,
    predict_counterfactual,
)
from skdatamodels.applications._data_support import DataSupportSearch
from skdatamodels.applications._embedding import (
    DatamodelEmbedding,
    effective_dimension,
    explained_variance_curve,
)
from skdatamodels.applications._find_shortcuts import Shortcuts, find_shortcuts
from skdatamodels.applications._label_errors import LabelErrors, find_label_errors
from skdatamodels.applications._leakage import LeakageDetector
from skdatamodels.applications._leave_one_out import LeaveOneOut, leave_one_out
from skdatamodels.applications._rankings import Extremes, HarmfulExamples
from skdatamodels.applications._refitted_datamodels import RefittedDatamodels
from skdatamodels.applications._removal_check import RemovalCheck, removal_check
from skdatamodels.applications._removal_curves import removal_curves
from skdatamodels.applications._removal_curves_result import RemovalCurves
from skdatamodels.applications._select_examples import select_examples
from skdatamodels.applications._selection import Selection
from skdatamodels.applications._selection_check import SelectionCheck
from skdatamodels.applications._similar_examples import (
    affected_targets,
    harmful_examples,
    mean_weights,
    self_influence,
    similar_examples,
)
from skdatamodels.applications._support_effects import support_effects
from skdatamodels.applications._support_size import predict_support_size

__all__ = [
    "ComponentEffects",
    "Correlation",
    "CounterfactualEffects",
    "CounterfactualEvaluation",
    "DataSupportSearch",
    "DatamodelEmbedding",
    "Extremes",
    "HarmfulExamples",
    "LabelErrors",
    "LeakageDetector",
    "LearnerComparison",
    "LeaveOneOut",
    "RefittedDatamodels",
    "RemovalCheck",
    "RemovalCurves",
    "Selection",
    "SelectionCheck",
    "Shortcuts",
    "adaptive_order",
    "affected_targets",
    "compare_learners",
    "component_effects",
    "effective_dimension",
    "explained_variance_curve",
    "find_label_errors",
    "find_shortcuts",
    "harmful_examples",
    "leave_one_out",
    "mean_weights",
    "predict_counterfactual",
    "predict_support_size",
    "read_annotations",
    "removal_check",
    "removal_curves",
    "select_examples",
    "self_influence",
    "similar_examples",
    "support_effects",
    "write_annotation_page",
]
