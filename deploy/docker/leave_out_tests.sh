#!/bin/sh
# Delete the tests that libraries bring along: those of numpy and scipy alone are 49 MB of the gallery's image.
set -eu
find /opt/climbtrack/lib -type d -name tests -prune -exec rm -r {} +
