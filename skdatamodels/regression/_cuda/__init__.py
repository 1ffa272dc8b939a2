"""The solvers on a GPU: kernels of our own, dense products by torch.

Importing this imports neither torch nor cuda-core; using it needs both.
"""

from skdatamodels.regression._cuda.kernels import CudaLauncher, check_cuda
from skdatamodels.regression._cuda.lasso_path import lasso_path
from skdatamodels.regression._cuda.ops import CudaOps

__all__ = ["CudaLauncher", "CudaOps", "check_cuda", "lasso_path"]
