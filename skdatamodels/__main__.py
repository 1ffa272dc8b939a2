"""``python -m skdatamodels`` does what the command ``skdatamodels`` does."""

import sys

from skdatamodels.auditing._command import main

if __name__ == "__main__":
    sys.exit(main())
