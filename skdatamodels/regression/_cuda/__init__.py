"""The solvers on a GPU, with custom kernels, and dense products by torch.

Importing this module imports neither torch nor cuda-core; using it requires both.
"""

from skdatamodels.regression._cuda.kernels import CudaLauncher, check_cuda
from skdatamodels.regression._cuda.lasso_path import lasso_path
from skdatamodels.regression._cuda.ops import CudaOps

__all__ = ["CudaLauncher", "CudaOps", "check_cuda", "lasso_path"]
