"""Where pictures come from: files, network streams, folders and devices, each read as compressed packets."""
