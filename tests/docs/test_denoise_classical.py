"""The how-to on denoising without training: its code runs as it stands, and what it writes can be read."""

import re
from pathlib import Path

from galsmith import simulate
from galsmith.denoise.accuracy import AccuracyTable
from galsmith.denoise.denoisers import DENOISERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "denoise-classical.md"


def test_the_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    simulate.sersic("clean", n=40, recipe="sersic-32", seed=3)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    exec(compile(code, "denoise how-to", "exec"), {"__name__": "example"})
    table = AccuracyTable.read("accuracy.json")
    assert list(table.entries) == ["wiener", "lucy"]
    # the linear filter of least error has less of it than one that sharpens noise
    assert table.ratios["wiener"]["lucy"].geometric.high < 0.5
    assert "MSE, mean" in capsys.readouterr().out


def test_every_classical_denoiser_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    classical = [name for name, where in DENOISERS.items() if ".classical." in str(where)]
    assert [name for name in classical if f"`{name}`" not in text] == []
