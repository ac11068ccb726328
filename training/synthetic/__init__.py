"""Generated people and sites with exact ground truth; everything is a function of its seeds.

A person is drawn in `body` (from `outfit` and `wardrobe`, described by `person`, varied by `hard_negatives`), becomes a
surface in `figure` (from `anatomy`, `tailor`, `headgear` and `luggage`), and gets its colours per pixel from `texture`
and `weave`; `pose` bends it.
"""
