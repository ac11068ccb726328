"""Person re-identification data sets in the layouts people have on disk: one file a data set."""
