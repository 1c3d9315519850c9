"""The demo as one dark page that needs nothing but itself and the files beside it."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.cli.demo import Made, Outcome

STYLE = """
:root{color-scheme:dark;--ground:#0f1115;--panel:#181b21;--line:#262b34;--ink:#eceef2;--faint:#8a92a0}
*{box-sizing:border-box}
body{margin:0;background:radial-gradient(1200px 600px at 20% -10%,#1d222c,var(--ground)) no-repeat var(--ground);
color:var(--ink);
font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;padding:56px clamp(16px,4vw,72px)}
h1{font-size:34px;margin:0;letter-spacing:-.02em}header p{color:var(--faint);margin:.4em 0 2.4em;max-width:60ch}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:26px}
article{background:var(--panel);border:1px solid var(--line);border-radius:16px;overflow:hidden;display:flex;
flex-direction:column;transition:transform .18s,border-color .18s}
article:hover{transform:translateY(-3px);border-color:#3a4250}
figure{margin:0;position:relative;aspect-ratio:1}figure>img,figure>video{width:100%;height:100%;object-fit:cover;display:block}
figure .ball{position:absolute;right:12px;bottom:12px;width:30%;height:30%;border-radius:50%;clip-path:circle(43%);
box-shadow:0 4px 18px #000a}
audio{width:calc(100% - 24px);position:absolute;left:12px;bottom:12px}
.text{padding:16px 18px 18px;display:flex;flex-direction:column;gap:8px;flex:1}
h2{font-size:17px;margin:0}.meta{color:var(--faint);font-size:13px;display:flex;gap:8px;align-items:center;margin:0}
.dot{width:9px;height:9px;border-radius:50%;background:var(--accent)}.secs{margin-left:auto}
details{font-size:13px;color:var(--faint)}summary{cursor:pointer}code{color:#c8cfdb;font-size:12px}
.note{font-size:13px;color:#d9b36c;margin:0}ul{margin:6px 0 0;padding-left:18px}
a{color:#8fb7ff;text-decoration:none;overflow-wrap:anywhere}a:hover{text-decoration:underline}
footer{color:var(--faint);margin-top:44px;font-size:13px;max-width:80ch}
"""
POLICY = "default-src 'none'; img-src data: 'self'; media-src 'self' file:; style-src 'unsafe-inline'"


def write(outcome: Outcome, path: Path) -> None:
    """Write the page; pictures are inside it, films, sounds and files are linked beside it."""
    kinds = sorted({one.kind for one in outcome.made})
    cards = "\n".join(_card(one) for one in outcome.made)
    left_out = "".join(f"<li>{html.escape(what)}: {html.escape(why)}</li>" for what, why in _missing(outcome))
    left_out = f"<footer>Not made:<ul>{left_out}</ul></footer>" if left_out else ""
    words = f"{len(outcome.made)} assets of {len(kinds)} kinds ({', '.join(kinds)}), converted for "
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Scenecast demo</title><style>{STYLE}</style></head>
<body><header><h1>Scenecast</h1><p>{words}{html.escape(outcome.made[0].host)}, made on this machine in
{outcome.secs:.0f} seconds with no download.</p></header><main>
{cards}
</main>{left_out}</body></html>
"""
    path.write_text(page, "utf-8")


def _missing(outcome: Outcome) -> list[tuple[str, str]]:
    return [*outcome.skipped, *outcome.failed]


def _card(one: Made) -> str:
    from bridge.cli.contact_sheet import ACCENTS, FAINT

    accent = "#{:02x}{:02x}{:02x}".format(*ACCENTS.get(one.kind, FAINT))
    links = "".join(f'<li><a href="{_link(one, name)}">{html.escape(name)}</a></li>' for name in one.files)
    params = html.escape(json.dumps(one.params, ensure_ascii=False, indent=1)[1:-1].strip().replace("\n ", "\n"))
    count = f"{len(one.files)} file" + ("s" if len(one.files) != 1 else "")
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in one.notes)
    return f"""<article style="--accent:{accent}"><figure>{_figure(one)}</figure><div class="text">
<h2>{html.escape(one.title)}</h2>
<p class="meta"><span class="dot"></span>{one.kind} · {html.escape(one.generator)}
<span class="secs">{one.secs:.1f} s</span></p>{notes}
<details><summary>parameters, seed {one.seed}</summary><code style="white-space:pre-wrap">{params}</code></details>
<details><summary>{count}</summary><ul>{links}</ul></details></div></article>"""


def _figure(one: Made) -> str:
    picture = f'<img alt="{html.escape(one.title)}" src="{_jpeg(one.picture)}">'
    for name in one.files:
        if name.endswith((".mp4", ".webm")):
            link = _link(one, name)
            return f'<video src="{link}" poster="{_jpeg(one.picture)}" autoplay loop muted playsinline></video>'
        if name.endswith((".wav", ".ogg", ".mp3")):
            return f'{picture}<audio controls preload="metadata" src="{_link(one, name)}"></audio>'
    ball = "" if one.ball is None else f'<img class="ball" alt="" src="{_jpeg(one.ball)}">'
    return picture + ball


def _link(one: Made, name: str) -> str:
    return f"{quote(one.folder)}/{quote(name)}"


def _jpeg(pixels: NDArray[Any]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
