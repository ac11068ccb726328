"""Reads cameras and sends their compressed frames on, untouched; never decodes what others can decode later."""
