"""The terminal pictures of the documentation, drawn from a recorded demo run by what draws the terminal itself.

    python docs/images/make.py record     run the demo for half a minute, write run.json
    python docs/images/make.py            draw demo.svg, summary.svg and stats.svg from run.json

`flow.svg` is drawn by hand.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from streampoll.cli import demo_run, main
from streampoll.observe.figures import Stats
from streampoll.observe.live import Frame, LiveView
from streampoll.observe.snapshot import RedisStats
from streampoll.observe.summary import summary
from streampoll.observe.view import render

HERE = Path(__file__).resolve().parent
RUN = HERE / "run.json"
SECONDS = 30
WIDTH = 80
CELL = 12.2  # pixels: a character of rich's pictures
INDENTED = re.compile(
    r'(<text [^>]*?x=")([\d.]+)("[^>]*?textLength=")([\d.]+)("[^>]*>)((?:&#160;)+)(?=[^<&]|&(?!#160;))'
)

THEME = TerminalTheme(
    (24, 27, 33),
    (208, 212, 220),
    [(58, 63, 75), (232, 105, 112), (126, 200, 120), (226, 184, 96), (110, 160, 240), (198, 130, 222), (88, 184, 196),
     (208, 212, 220)],
    [(110, 118, 135), (240, 130, 136), (150, 216, 144), (238, 205, 130), (140, 182, 250), (214, 156, 236),
     (120, 206, 216), (240, 242, 246)],
)  # fmt: skip

# rich's own frame names a web font by its URL; a picture must not fetch anything
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: system-ui, "DejaVu Sans", Arial, sans-serif; font-size: 17px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def pictures(run: dict[str, Any]) -> dict[str, tuple[str, RenderableType]]:
    """Return what is drawn: name -> (title, renderable)."""
    view = LiveView()
    for frame in run["frames"]:
        view.update(msgspec.convert(frame, Frame))
    return {
        "demo": ("bin/demo, while it runs", view),
        "summary": ("bin/demo, at its end", summary(run["audit"])),
        "stats": ("streampoll stats", render(msgspec.convert(run["stats"], Stats))),
    }


def draw(name: str, title: str, shown: RenderableType) -> str:
    """Return a terminal with this in it, as SVG."""
    console = Console(record=True, file=StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor",
                      highlight=False)  # fmt: skip
    console.print(shown)
    svg = console.export_svg(title=title, theme=THEME, code_format=FRAME, unique_id=f"sp-{name}")
    svg = INDENTED.sub(_shifted, svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _shifted(text: re.Match[str]) -> str:
    """Move a text that begins with spaces to its first letter: some programs leave those spaces out."""
    spaces = text[6].count("&#160;")
    x, length = float(text[2]) + spaces * CELL, float(text[4]) - spaces * CELL
    return f"{text[1]}{x:g}{text[3]}{length:g}{text[5]}"


def record() -> None:
    """Run the demo with its eyes and mouth watched; keep the frames until shortly before the end."""
    with tempfile.TemporaryDirectory() as room:
        log = Path(room, "log")
        command = [sys.executable, __file__, "watch", str(log)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        seen = [json.loads(line) for line in log.read_text().splitlines()]
    frames = [each["frame"] for each in seen if "frame" in each]
    before_end = [frame for frame in frames if frame["phase"] == "polling" and frame["elapsed_s"] < SECONDS - 3]
    stats = [each["stats"] for each in seen if "stats" in each][len(before_end) - 1]
    run = {"audit": json.loads(done.stdout.splitlines()[-1]), "stats": stats, "frames": before_end[-40:]}
    RUN.write_text(json.dumps(run, ensure_ascii=False) + "\n")


def watch(log: Path) -> None:
    """Run the demo in this process, which is forked; each frame and each look at the queues goes to `log` too."""

    def note(key: str, value: object) -> None:
        with log.open("a") as file:
            file.write(msgspec.json.encode({key: value}).decode() + "\n")

    snapshot: Callable[[RedisStats], Any] = RedisStats.snapshot

    async def noted(source: RedisStats) -> Stats:
        stats: Stats = await snapshot(source)
        note("stats", stats)
        return stats

    RedisStats.snapshot = noted  # type: ignore[method-assign,assignment]
    demo_run.Screen.draw = lambda _, frame: note("frame", frame)  # type: ignore[method-assign,assignment]
    sys.argv = ["streampoll", "demo", "--seconds", str(SECONDS), "--json"]
    main()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record"]:
            record()
        case ["watch", log]:
            watch(Path(log))
    if sys.argv[1:2] != ["watch"]:
        os.environ["TZ"] = "UTC"
        time.tzset()
        for name, (title, shown) in pictures(json.loads(RUN.read_text())).items():
            (HERE / f"{name}.svg").write_text(draw(name, title, shown))
