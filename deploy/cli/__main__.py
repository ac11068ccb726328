"""`python -m deploy.cli`: the command `climbtrack` without its script on the path."""

import sys

from deploy.cli.main import main

sys.exit(main())
