# SPDX-License-Identifier: Apache-2.0
"""The file of a soak's figures, and its plot."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.soak import run
from tests.soak.figures import NAMES, FiguresUnreadable, read, written
from tests.soak.judging import judged
from tests.soak.made_up import figures
from tests.soak.plot import PANEL, PANELS, TOP, drawn

SVG = "{http://www.w3.org/2000/svg}"


def saved(path: Path, seconds: int = 7200) -> Path:
    with written(path) as writer:
        for row in figures(seconds=seconds):
            writer.add(row)
    return path


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    """But for digits beyond a microsecond."""
    wanted, found = figures(seconds=600), read(saved(tmp_path / "soak.csv", 600))
    assert [row.cycle is None for row in found] == [row.cycle is None for row in wanted]
    for name in NAMES:
        assert [getattr(row, name) or 0 for row in found] == pytest.approx(
            [getattr(row, name) or 0 for row in wanted], abs=1e-6
        )


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "soak.csv", 600)
    path.write_text(path.read_text()[:-8])
    assert len(read(path)) == 59


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the columns must be seconds,memory"),
        ("seconds,lag\n1,2\n", "line 1: the columns must be seconds,memory"),
        (f"{','.join(NAMES)}\n1,2\n", "line 2: "),
        (f"{','.join(NAMES)}\n{','.join(['1'] * 20)},much\n", "line 2: could not convert string to float: 'much'"),
    ],
)
def test_another_file_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(FiguresUnreadable) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_an_earlier_run_is_judged_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--judge", str(saved(tmp_path / "soak.csv"))]) == 0
    assert "good  memory" in capsys.readouterr().out
    assert ET.parse(tmp_path / "soak.svg").getroot().tag == f"{SVG}svg"  # noqa: S314  our own
    assert run.main(["--judge", str(tmp_path / "none.csv")]) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_the_plot_shows_every_panel_and_the_growth() -> None:
    """A figure that grows goes up, and its trend with it; both stay inside their panel."""
    rows = figures({"memory": lambda at: 1e4 * at})
    root = ET.fromstring(drawn(rows, judged(rows), "<&>"))  # noqa: S314  our own
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert texts[0].startswith("<&>: 1 of ")
    assert {panel.title for panel in PANELS} <= set(texts)
    lines = [line.attrib["points"].split() for line in root.iter(f"{SVG}polyline")]
    assert len(lines) == sum(len(panel.names) for panel in PANELS)
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights[-1] < heights[0]
    assert all(TOP <= height <= TOP + PANEL for height in heights)
    trend = next(line.attrib for line in root.iter(f"{SVG}line") if "stroke-dasharray" in line.attrib)
    assert TOP <= float(trend["y2"]) < float(trend["y1"]) <= TOP + PANEL
