"""People with bodies, clothes and hair of MakeHuman under the light of panoramas, drawn by our own renderer.

The assets are public (CC0) and are not part of this repository: `python -m training.realistic.pack` reads them.
"""
