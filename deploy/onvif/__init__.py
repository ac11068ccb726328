"""Finds ONVIF cameras on the network and asks them for the addresses of their streams."""
