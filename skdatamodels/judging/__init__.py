"""Compare attribution methods, and plan the number of runs."""

from skdatamodels.judging._attribution_comparison import AttributionComparison
from skdatamodels.judging._compare_attributions import compare_attributions
from skdatamodels.judging._estimate_cost import CostEstimate, estimate_cost
from skdatamodels.judging._plan_runs import RunPlan, plan_runs

__all__ = [
    "AttributionComparison",
    "CostEstimate",
    "RunPlan",
    "compare_attributions",
    "estimate_cost",
    "plan_runs",
]
