"""`python -m deploy.cli`: run `climbtrack` when its script is not on the PATH."""

import sys

from deploy.cli.main import main

sys.exit(main())
