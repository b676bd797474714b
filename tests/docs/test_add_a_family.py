"""The how-to on a family of one's own: its code trains, is drawn, resumes and is judged, registered in both ways."""

import importlib
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.cli.describe import describe
from galsmith.data.store.writer import write_store
from galsmith.errors import InputError, InterruptedRunError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.models.families import FAMILIES, Listing, family_named, listed_families, register_family
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.sampling import sample
from galsmith.training import train

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-family.md"
SET = ("model.channels=8", "model.steps=4", "training.batch_size=16", "training.sample_grids=0")


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's file on the path of imports, and afterwards no more."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "small_flow.py").write_text(blocks("python")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    before = dict(FAMILIES)
    yield folder
    FAMILIES.clear()
    FAMILIES.update(before)
    sys.modules.pop("small_flow", None)
    importlib.invalidate_caches()


def installed(folder: Path, name: str = "small_flow", target: str = "small_flow:FAMILY") -> None:
    """Write what pip writes of a package that gives a family."""
    info = folder / f"galaxy_models_{name}-1.2.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: galaxy-models-{name}\nVersion: 1.2\nSummary: A flow for tests\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[galsmith.families]\n{name} = {target}\n", encoding="utf-8")
    importlib.invalidate_caches()


@pytest.fixture
def galaxies(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:16, :16] - 7.5
    images = []
    for _ in range(60):
        light = np.exp(-np.hypot(x, y / rng.uniform(0.5, 1.0)) / rng.uniform(1.0, 2.5))
        images.append(rng.uniform(20, 80) * light / light.sum() + rng.normal(0, 0.01, (1, 16, 16)))
    header = ImageHeader(bands=("r",), pixel_scale_arcsec=0.2, flux_unit="nJy")
    write_store(tmp_path / "galaxies", image_set_from_arrays(images, header))
    return tmp_path / "galaxies"


def weights(run: Path) -> str:
    return str(read_snapshot_page(run / "snapshot")["tensors_sha256"])


def interrupted_once() -> Any:
    """Press Ctrl-C once, after a third of 192 images."""
    pressed: list[bool] = []

    def press(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= 64 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    return press


def test_the_file_is_short_and_imports_what_is_public(module: Path) -> None:
    code = blocks("python")[0]
    imported = set(re.findall(r"^from (galsmith[\w.]*) import", code, re.MULTILINE))
    assert imported == {"galsmith.models", "galsmith.settings"}
    lines = [line for line in code.splitlines() if line.strip() and "import" not in line]
    assert len(lines) <= 46  # settings, network, loss, drawing, trainer and record


def test_a_registered_family_trains_draws_resumes_and_is_judged(
    module: Path, galaxies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)
    register_family(importlib.import_module("small_flow").FAMILY, when_to_choose="for tests")
    whole = train("small_flow", galaxies, tmp_path / "whole", images=192, overrides=SET)
    with pytest.raises(InterruptedRunError):
        train(
            "small_flow", galaxies, tmp_path / "run", images=192, overrides=SET, progress=interrupted_once()
        )
    run = train("small_flow", galaxies, tmp_path / "run", images=192, overrides=SET)
    assert weights(run) == weights(whole)
    other = train("small_flow", galaxies, tmp_path / "other", images=192, overrides=SET, seed=1)
    assert weights(other) != weights(whole)
    one, many = (sample(run, tmp_path / f"{n}", n=n, seed=4).stacked() for n in (1, 40))
    np.testing.assert_array_equal(one, many[:1])
    card = judge(galaxies, tmp_path / "40", replicates=20, splits=4, permutations=20, beyond=False)
    assert [judgment.name for judgment in card.judgments] == ["40"]


def test_a_network_that_is_already_written_trains_and_is_drawn(
    module: Path, galaxies: Path, tmp_path: Path
) -> None:
    code = next(block for block in blocks("python") if block.startswith('"""my_vae.py'))
    (module / "my_vae.py").write_text(code, encoding="utf-8")
    register_family(importlib.import_module("my_vae").FAMILY, when_to_choose="for tests")
    assert describe("my_vae").kind == "recipe"
    with pytest.raises(SettingsError, match=r"recipe 'my_vea': not found \(did you mean 'my_vae'\?\)"):
        train("my_vea", galaxies, tmp_path / "run", images=32)
    with pytest.raises(InputError, match=r"did you mean 'my_vae'\?\); the recipes are .*my_vae"):
        describe("my_vea")
    run = train("my_vae", galaxies, tmp_path / "run", images=4000, overrides=["training.batch_size=16"])
    drawn = sample(run, tmp_path / "drawn", n=60, seed=4).stacked()
    assert drawn.shape == (60, 1, 16, 16)
    fluxes = drawn.sum(axis=(1, 2, 3))  # the scalar carries it: training galaxies have 20 to 80
    assert 30 < np.median(fluxes) < 70


def test_an_installed_family_is_listed_without_being_loaded_and_works_from_the_command_line(
    module: Path, galaxies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(module)
    assert blocks("toml")[0].splitlines()[1] == 'small_flow = "small_flow:FAMILY"'
    assert main(["train", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "small_flow" in said
    assert "A flow for tests (from galaxy-models-small_flow 1.2)" in said
    assert "small_flow" not in sys.modules
    sets = [word for text in SET for word in ("--set", text)]
    paths = ["--data", str(galaxies), "-o", str(tmp_path / "run")]
    assert main(["train", "small_flow", *paths, "--images", "64", "--device", "cpu", *sets]) == 0
    assert main(["sample", str(tmp_path / "run"), "-n", "3", "-o", str(tmp_path / "drawn")]) == 0
    card = load_snapshot(tmp_path / "run" / "snapshot").card
    assert card["family_given_by"] == "galaxy-models-small_flow 1.2"


def test_a_snapshot_of_a_family_that_is_gone_says_where_it_came_from(
    module: Path, galaxies: Path, tmp_path: Path
) -> None:
    register_family(importlib.import_module("small_flow").FAMILY, when_to_choose="for tests")
    run = train("small_flow", galaxies, tmp_path / "run", images=32, overrides=SET)
    del FAMILIES["small_flow"]
    with pytest.raises(
        InputError, match=r"family 'small_flow', which is not installed.* came with small_flow"
    ):
        sample(run, tmp_path / "drawn", n=1)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("raise SystemExit('wants a license')", "SystemExit: wants a license"),
        ("def of(", "SyntaxError"),
        ("FAMILY = 3", "is a int; wanted a galsmith.models.Family"),
        ("", "AttributeError"),
    ],
)
def test_a_broken_package_is_named_when_its_family_is_used_and_help_is_shown(
    code: str, reason: str, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (module / "small_flow.py").write_text(code, encoding="utf-8")
    installed(module)
    assert main(["train", "--help"]) == 0
    assert "small_flow" in capsys.readouterr().out
    with pytest.raises(SettingsError, match=re.escape(reason)) as caught:
        family_named("small_flow")
    assert "galaxy-models-small_flow 1.2" in str(caught.value)
    assert family_named("vae").name == "vae"


def test_a_package_whose_metadata_are_broken_is_listed_as_unusable(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(module)
    next(module.glob("*.dist-info")).joinpath("METADATA").unlink()
    assert main(["train", "--help"]) == 0
    assert "small_flow" in capsys.readouterr().out


def test_a_name_is_given_once(module: Path) -> None:
    family = importlib.import_module("small_flow").FAMILY
    register_family(family, when_to_choose="for tests")
    with pytest.raises(SettingsError, match=r"'small_flow': is given by small_flow already"):
        register_family(family, when_to_choose="for tests")
    installed(module, "stylegan")
    assert listed_families()["stylegan"].when_to_choose.startswith("cannot be used: is given by galsmith and")
    with pytest.raises(
        SettingsError, match=r"'stylegan' is given by galsmith and galaxy-models-stylegan 1.2"
    ):
        family_named("stylegan")
    assert FAMILIES["stylegan"] == Listing(
        FAMILIES["stylegan"].when_to_choose,
        "galsmith.models.stylegan:FAMILY",
        config="galsmith.models.style_based.settings:StyleganConfig",
    )
