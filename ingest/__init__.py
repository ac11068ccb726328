"""Reads cameras and forwards their compressed frames unchanged; decodes only what could not be decoded later."""
