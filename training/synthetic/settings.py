"""Settings: the distributions of people, places, cameras and boxes that a generator draws from.

`default` trains the shipped weights. `other` and `plain` are never trained on: `other` differs in all of these, `plain`
in clothes, recording and boxes. The drop in accuracy from `default` to them shows how much a network has learnt about
the generator instead of about people.
"""

from dataclasses import dataclass

from training.synthetic.boxes import DetectorErrors
from training.synthetic.daylight import Climate
from training.synthetic.outdoor import Yard
from training.synthetic.places import Hall, Mast, Places
from training.synthetic.response import Grade, Response
from training.synthetic.restyle import Fashion
from training.synthetic.surfaces import Stock
from training.synthetic.texture import Pattern


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a generator draws from; `fashion` None means the default clothes."""

    name: str
    places: Places
    boxes: DetectorErrors
    fashion: Fashion | None = None


DEFAULT = Setting("default", Places(), DetectorErrors())

# Cobbles, wood, red and green sports ground, tiles, snow.
_STOCK = Stock(
    grounds=(
        ((126, 120, 116), Pattern.CHECKS, 0.1, 0.2), ((142, 112, 84), Pattern.PLANKS, 0.1, 0.2),
        ((150, 78, 62), Pattern.SPECKLE, 0.02, 0.05), ((72, 116, 92), Pattern.SPECKLE, 0.02, 0.05),
        ((182, 180, 184), Pattern.TILES, 0.15, 0.4), ((226, 230, 236), Pattern.SPECKLE, 0.2, 0.8),
    ),
    shares=(0.26, 0.16, 0.12, 0.12, 0.24, 0.1),
    walls=((92, 104, 118), (228, 204, 160), (140, 62, 52), (70, 74, 78), (208, 214, 210)),
    accents=((230, 120, 30), (24, 128, 128), (120, 40, 110), (236, 214, 90), (30, 36, 46)),
)  # fmt: skip
_OTHER_PLACES = Places(
    outdoors=0.5,
    fog=0.12,
    yard=Yard(
        (3.0, 8.0), (0.12, 0.06, 0.12, 0.1, 0.1, 0.25, 0.25), 6, _STOCK, Climate(0.3, 0.34, (0.2, 0.6), (1.0, 1.8), 0.4)
    ),
    hall=Hall((4.0, 9.0), (4.0, 8.0), (0, 7)),
    mast=Mast(0.5, (2.6, 3.4), (5.0, 7.5), (0.9, 2.2)),
    response=Response(
        (
            Grade((0.12, 0.36), 0.14, 0.05, (0.65, 1.45), (0.1, 0.7), 0.02, (0.0004, 0.0018), (0.8, 3.5), (30, 80)),
            Grade((0.09, 0.4), 0.22, 0.08, (0.4, 1.5), (-0.3, 0.8), 0.05, (0.0014, 0.0026), (2.0, 6.5), (20, 55)),
        ),
        (0.75, 0.25),
        grey=0.05,
        gamma=(1.75, 2.1),
        vignette=0.5,
        sharpen=1.3,
        cast=-0.06,
    ),
)
OTHER = Setting(
    "other",
    _OTHER_PLACES,
    DetectorErrors((0.07, 0.05), legs=0.14, aside=0.08, large=0.16, head=0.05, flutter=0.05, gain=0.2, smeared=0.5),
    Fashion(
        2.2,
        (0.55, 0.95),
        0.22,
        0.35,
        (Pattern.DIAGONAL, Pattern.ARGYLE, Pattern.CHECKS, Pattern.DOTS, Pattern.CAMOUFLAGE),
    ),
)
# Dark, plain clothes in low-bitrate video: what shops and offices show, and what colours and prints cannot tell apart.
PLAIN = Setting(
    "plain",
    Places(
        response=Response(
            (
                Grade((0.1, 0.3), 0.1, 0.04, (0.6, 1.1), (0.0, 0.7), 0.02, (0.0006, 0.002), (0.8, 4.0), (12, 45)),
                Grade((0.1, 0.25), 0.16, 0.06, (0.5, 1.0), (0.0, 0.7), 0.04, (0.0012, 0.003), (1.5, 6.0), (8, 30)),
            ),
            (0.7, 0.3),
            sharpen=1.5,
        ),
    ),
    DetectorErrors(legs=0.16, large=0.14, flutter=0.045),
    Fashion(0.5, (1.05, 1.6), 0.05, 0.0, (Pattern.DOTS,), plain=0.75),
)
SETTINGS = {setting.name: setting for setting in (DEFAULT, OTHER, PLAIN)}
