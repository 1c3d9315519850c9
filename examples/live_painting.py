"""Paint a picture live, with ever larger brushes: `python examples/live_painting.py PICTURE OUT`; a bridge must run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from python_client import connect

LONGEST_PX = 768


def main() -> None:
    """One live session; the picture is sent once, then only the brush changes."""
    if len(sys.argv) != 3:
        sys.exit("expected a picture and a folder: python examples/live_painting.py PICTURE OUT")
    picture = Image.open(sys.argv[1]).convert("RGB")
    picture.thumbnail((LONGEST_PX, LONGEST_PX))
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with connect() as scenecast:
        live = scenecast.live("live.painterly", width_px=picture.width, height_px=picture.height)
        frame = live.push(colour=np.asarray(picture))
        for brush_px in (4, 8, 12, 18, 26, 36):
            frame = live.push(params={"stroke_px": float(brush_px)})
            painted = live.answer_to(frame)
            size = (painted.width_px, painted.height_px)
            Image.frombytes("RGB", size, bytes(painted.data)).save(out / f"brush_{brush_px:02}.png")
            print(
                f"brush of {brush_px} px: {painted.run_ms:.0f} ms to paint, {painted.age_ms:.0f} ms until it was here"
            )
        live.close()
        live.wait_until(lambda session: session.over)


if __name__ == "__main__":
    main()
