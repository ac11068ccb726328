"""The worker: turns frames into tracklets, with one CLIMB embedding each."""
