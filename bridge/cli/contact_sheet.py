"""One picture of all that the demo made, large enough to read and small enough to send."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

    from bridge.cli.demo import Made, Outcome

CARD_PX, GAP_PX, MARGIN_PX, CAPTION_PX, HEAD_PX = 400, 28, 56, 84, 148
BALL_RIM = 0.07
"""Share of a material's thumbnail on each side that shows the ground behind the ball."""
GROUND, PANEL, INK, FAINT = (15, 17, 21), (24, 27, 33), (236, 238, 242), (138, 146, 160)
ACCENTS = {
    "material": (232, 150, 88), "mesh": (120, 170, 240), "splats": (190, 140, 240), "clip": (240, 110, 110),
    "sound": (110, 205, 160), "image": (225, 200, 100), "field": (110, 200, 220), "scene": (200, 200, 200),
}  # fmt: skip


def write(outcome: Outcome, path: Path) -> None:
    """Write the sheet as PNG: four cards a row, each with picture, title, kind, generator and time."""
    from PIL import Image, ImageDraw

    columns = min(4, max(1, len(outcome.made)))
    rows = -(-len(outcome.made) // columns)
    width = 2 * MARGIN_PX + columns * CARD_PX + (columns - 1) * GAP_PX
    height = HEAD_PX + rows * (CARD_PX + CAPTION_PX + GAP_PX) + MARGIN_PX - GAP_PX
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN_PX, 44), "Scenecast", INK, font=_font(44, bold=True))
    kinds = len({one.kind for one in outcome.made})
    words = f"{len(outcome.made)} assets of {kinds} kinds for {outcome.made[0].host}, made in {outcome.secs:.0f} s"
    draw.text((MARGIN_PX, 100), words, FAINT, font=_font(20))
    for index, one in enumerate(outcome.made):
        left = MARGIN_PX + index % columns * (CARD_PX + GAP_PX)
        top = HEAD_PX + index // columns * (CARD_PX + CAPTION_PX + GAP_PX)
        _card(sheet, draw, one, left, top)
    sheet.save(path, optimize=True)


def _card(sheet: Image.Image, draw: ImageDraw.ImageDraw, one: Made, left: int, top: int) -> None:
    from PIL import Image, ImageDraw

    tall = CARD_PX + CAPTION_PX
    draw.rounded_rectangle((left, top, left + CARD_PX - 1, top + tall - 1), 14, fill=PANEL)
    mask = Image.new("L", (CARD_PX, tall), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, CARD_PX - 1, tall - 1), 14, fill=255)
    picture = Image.fromarray(one.picture).resize((CARD_PX, CARD_PX), Image.Resampling.LANCZOS)
    sheet.paste(picture, (left, top), mask.crop((0, 0, CARD_PX, CARD_PX)))
    if one.ball is not None:
        whole = Image.fromarray(one.ball)
        rim = round(whole.width * BALL_RIM)
        ball = whole.crop((rim, rim, whole.width - rim, whole.height - rim))
        side = ball.width
        round_ = Image.new("L", (side * 4, side * 4), 0)
        ImageDraw.Draw(round_).ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
        at = (left + CARD_PX - side - 12, top + CARD_PX - side - 12)
        sheet.paste(ball, at, round_.resize((side, side), Image.Resampling.LANCZOS))
    accent = ACCENTS.get(one.kind, FAINT)
    text_top = top + CARD_PX + 14
    points = next((size for size in (21, 19, 17, 15) if _width(draw, one.title, size) <= CARD_PX - 36), 13)
    draw.text((left + 18, text_top + 21 - points), one.title, INK, font=_font(points, bold=True))
    draw.ellipse((left + 19, text_top + 37, left + 29, text_top + 47), fill=accent)
    draw.text((left + 38, text_top + 32), f"{one.kind}  ·  {one.generator}", FAINT, font=_font(16))
    time = f"{one.secs:.1f} s"
    draw.text((left + CARD_PX - 18, text_top + 32), time, FAINT, font=_font(16), anchor="ra")


def _width(draw: ImageDraw.ImageDraw, text: str, points: int) -> float:
    return draw.textlength(text, font=_font(points, bold=True))


@cache
def _font(points: int, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu where the system has it, else the font that comes with Pillow."""
    from PIL import ImageFont

    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", points)
    except OSError:
        return ImageFont.load_default(points)
