"""The distributed form on one machine: `climbtrack cluster up`."""
