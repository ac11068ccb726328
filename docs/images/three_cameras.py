"""Draw README's picture: one person on three cameras of the sample site, with the boxes and numbers that a run wrote.

    climbtrack synth site --out site --seed 5 --seconds 40
    climbtrack run --camera lobby=site/lobby.mp4 --camera corridor=site/corridor.mp4 --camera office=site/office.mp4 \
        --out out --detector bundled
    python docs/images/three_cameras.py site out --person 1 lobby:92 corridor:240 office:391

Everybody in it is generated. Numbers and good frames change with weights and detector: look at the picture.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).with_name("three-cameras.jpg")
FPS = 10  # of generated sites
DRAWN, SHOWN = 1120, 560  # width of a panel while drawing, and in the picture
GAP, CAPTION = 20, 80
COLOURS = ((14, 124, 102), (196, 62, 36), (32, 98, 196), (150, 60, 160), (178, 110, 0), (46, 125, 50), (173, 32, 96),
           (0, 121, 140), (110, 84, 60))  # fmt: skip
Box = tuple[int, float, float, float, float]


def boxes(file: Path, frame: int) -> Iterator[Box]:
    """Yield number, left, top, right and bottom of everybody in a frame of a MOTChallenge file."""
    for line in file.read_text().splitlines():
        at, number, left, top, width, height = map(float, line.split(",")[:6])
        if at == frame:
            yield int(number), left, top, left + width, top + height


def picture(video: Path, frame: int) -> Image.Image:
    """Return one frame of a video, counted from 1."""
    with av.open(str(video)) as container:
        for index, decoded in enumerate(container.decode(video=0), 1):
            if index == frame:
                shown: Image.Image = decoded.to_image()
                return shown
    raise SystemExit(f"{video} has no frame {frame}")


def draw_box(image: Image.Image, box: Box, *, main: bool) -> None:
    """Draw a box with its number above it, or inside where there is no room."""
    number, *corners = box
    left, top, right, bottom = (min(max(value, 6), image.width - 6) for value in corners)
    bottom = min(bottom, image.height - 6)
    draw, colour, pad = ImageDraw.Draw(image), COLOURS[number % len(COLOURS)], 12 if main else 8
    draw.rounded_rectangle((left, top, right, bottom), radius=8, outline=colour, width=8 if main else 4)
    font = ImageFont.load_default(size=44 if main else 30)
    x0, y0, x1, y1 = draw.textbbox((0, 0), str(number), font=font)
    high = y1 - y0 + 2 * pad
    above = top - high if top > high else top
    draw.rounded_rectangle((left, above, left + x1 - x0 + 2 * pad, above + high), radius=8, fill=colour)
    draw.text((left + pad - x0, above + pad - y0), str(number), font=font, fill="white")


def panel(image: Image.Image, found: Sequence[Box], person: int) -> Image.Image:
    """Return a frame in the size it is drawn at, with everybody's box, the person's last."""
    scale = DRAWN / image.width
    large = image.resize((DRAWN, round(image.height * scale)), Image.Resampling.LANCZOS)
    for number, *corners in sorted(found, key=lambda box: box[0] == person):
        draw_box(large, (number, *(value * scale for value in corners)), main=number == person)  # type: ignore[arg-type]
    return large


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("moments", nargs="+", metavar="CAMERA:FRAME")
    parser.add_argument("--person", type=int, required=True)
    given = parser.parse_args()
    moments = [(camera, int(frame)) for camera, _, frame in (moment.partition(":") for moment in given.moments)]
    panels = [
        panel(picture(given.site / f"{camera}.mp4", at), list(boxes(given.out / f"{camera}.txt", at)), given.person)
        for camera, at in moments
    ]
    sheet = Image.new("RGB", (len(panels) * (DRAWN + GAP) - GAP, panels[0].height + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=38)
    for index, ((camera, at), one) in enumerate(zip(moments, panels, strict=True)):
        left, line = index * (DRAWN + GAP), one.height + 18
        sheet.paste(one, (left, 0))
        draw.text((left + 4, line), camera, font=font, fill=(20, 24, 32))
        after = left + 4 + draw.textlength(f"{camera}  ", font=font)
        draw.text((after, line), f"0:{(at - 1) // FPS:02d}", font=font, fill=(110, 118, 130))
    small = sheet.resize((sheet.width * SHOWN // DRAWN, sheet.height * SHOWN // DRAWN), Image.Resampling.LANCZOS)
    small.save(TARGET, quality=86, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
