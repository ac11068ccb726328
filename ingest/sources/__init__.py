"""Sources of pictures: files, network streams, folders and devices, each read as compressed packets."""
