"""Compare attribution methods, plan the number of runs, and collect them."""

from skdatamodels.judging._attribution_comparison import AttributionComparison
from skdatamodels.judging._attribution_scores import AttributionScores
from skdatamodels.judging._collect_runs import collect_runs
from skdatamodels.judging._collected_runs import CollectedRuns
from skdatamodels.judging._compare_attributions import compare_attributions
from skdatamodels.judging._estimate_cost import CostEstimate, estimate_cost
from skdatamodels.judging._judge import judge
from skdatamodels.judging._plan_runs import RunPlan, plan_runs

__all__ = [
    "AttributionComparison",
    "AttributionScores",
    "CollectedRuns",
    "CostEstimate",
    "RunPlan",
    "collect_runs",
    "compare_attributions",
    "estimate_cost",
    "judge",
    "plan_runs",
]
