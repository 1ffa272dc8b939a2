"""What attribution matrices are good for."""

from skdatamodels.applications.annotation_page import (
    read_annotations,
    write_annotation_page,
)
from skdatamodels.applications.attribution_comparison import AttributionComparison
from skdatamodels.applications.compare_attributions import compare_attributions
from skdatamodels.applications.component_effects import (
    ComponentEffects,
    component_effects,
)
from skdatamodels.applications.counterfactuals import (
    Correlation,
    CounterfactualEffects,
    CounterfactualEvaluation,
    predict_counterfactual,
)
from skdatamodels.applications.data_support import (
    DataSupportSearch,
    predict_support_size,
)
from skdatamodels.applications.embedding import (
    DatamodelEmbedding,
    effective_dimension,
    explained_variance_curve,
)
from skdatamodels.applications.leakage import LeakageDetector
from skdatamodels.applications.plan_runs import RunPlan, plan_runs
from skdatamodels.applications.similar_examples import (
    Extremes,
    affected_targets,
    harmful_examples,
    mean_weights,
    self_influence,
    similar_examples,
)

__all__ = [
    "AttributionComparison",
    "ComponentEffects",
    "Correlation",
    "CounterfactualEffects",
    "CounterfactualEvaluation",
    "DataSupportSearch",
    "DatamodelEmbedding",
    "Extremes",
    "LeakageDetector",
    "RunPlan",
    "affected_targets",
    "compare_attributions",
    "component_effects",
    "effective_dimension",
    "explained_variance_curve",
    "harmful_examples",
    "mean_weights",
    "plan_runs",
    "predict_counterfactual",
    "predict_support_size",
    "read_annotations",
    "self_influence",
    "similar_examples",
    "write_annotation_page",
]
