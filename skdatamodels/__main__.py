"""``python -m skdatamodels`` does what the command ``skdatamodels`` does."""

import sys

from skdatamodels.auditing._command import run_command

if __name__ == "__main__":
    sys.exit(run_command())
