"""``s3://bucket/x`` is refused by every verb, as what is written and as what is read, and makes no folder ``s3:``."""

from pathlib import Path

import pytest

from galsmith import ingest, simulate
from galsmith.cli import main
from galsmith.cli.app import VERBS
from galsmith.data.simulate import SIMULATORS
from galsmith.errors import InputError, SettingsError
from galsmith.files.remote import refuse_remote_input, refuse_remote_output
from galsmith.judging import judge
from galsmith.measure import measure
from galsmith.sampling import sample
from galsmith.training import train

ADDRESS = "s3://bucket/x"
FLAGS = {
    "ingest field": " --zero-points r=25",
    "snapshot": " --half",
    "sample": " -n 2",
    **{f"simulate {name}": " -n 2" for name in SIMULATORS},
    "score fit": " --data there",
    "denoise fit": " --data there",
    "study": " --data there --generated there",
    "denoise study": " --data there",
    "score threshold": " --labeled 12 --negatives 2",
}
OTHER_INPUTS = [
    "ingest folder pictures --labels s3://bucket/labels.csv -o made",
    "ingest store store --properties s3://bucket/table.parquet -o made",
    "ingest field g=s3://bucket/x.fits,r=there.fits --zero-points g=25,r=25 -o made",
    "ingest arrays s3://bucket/x.h5:/images -o made",
    "train s3://bucket/x.toml --data store -o made",
    "train demo --data store --init-from s3://bucket/x -o made",
    "measure there.fits --psf s3://bucket/x -o made.parquet",
    "measure there.fits --segmap s3://bucket/x --figure made.png",
    "compare a.parquet ours=s3://bucket/x -o made.json",
    "compare a.parquet b.parquet --training s3://bucket/x -o made.json",
    "score report there --judged s3://bucket/x -o made",
    "score fit average --data there --base s3://bucket/x -o made",
    "score predict s3://bucket/x there -o made.csv",
    "denoise fit filter_bank --data there --generated s3://bucket/x -o made",
    "denoise apply s3://bucket/x there -o made",
    "denoise study study-small --data there --generated s3://bucket/x -o made",
    "score threshold there.csv --labels s3://bucket/x",
    "study classifier --data there --generated s3://bucket/x -o made",
    "simulate sersic -n 2 --recipe s3://bucket/x.toml -o made",
]


def reading(verb: str) -> str:
    """Give a command that reads from an address."""
    words = {
        "train": f"demo --data {ADDRESS}",
        "compare": f"{ADDRESS} b.parquet",
        "measure": f"{ADDRESS}",
        "score fit": f"average --data {ADDRESS}",
        "denoise fit": f"filter_bank --data {ADDRESS}",
        "denoise study": f"study-small --data {ADDRESS}",
        "denoise apply": f"wiener {ADDRESS}",
        "study": f"classifier --generated there --data {ADDRESS}",
        "score predict": f"there {ADDRESS}",
        "score judge": f"there there {ADDRESS}",
    }.get(verb, ADDRESS)
    suffix = {"measure": ".parquet", "compare": ".json", "look": ".png"}.get(verb, "")
    output = "" if verb in ("info", "score threshold") else f" -o made{suffix}"
    flags = "" if "--data" in words else FLAGS.get(verb, "")
    return f"{verb} {words}{flags}{output}"


def writing(verb: str) -> str:
    """Give a command that writes to an address."""
    words = {
        "train": "demo --data store",
        "compare": "a.parquet b.parquet",
        "measure": "there.fits",
        "score fit": "average",
        "denoise fit": "filter_bank",
        "denoise study": "study-small",
        "denoise apply": "wiener there",
        "study": "classifier",
        "score predict": "there there",
        "score judge": "there there there",
        **{f"simulate {name}": "" for name in SIMULATORS},
        "demo": "",
    }.get(verb, "there")
    suffix = {"measure": ".parquet", "look": ".png"}.get(verb, "")
    return f"{verb} {words}{FLAGS.get(verb, '')} -o {ADDRESS}{suffix}"


WRITING = [verb.name for verb in VERBS if verb.writes]
MAKING = {"demo", *(f"simulate {name}" for name in SIMULATORS)}
READING = [verb.name for verb in VERBS if verb.name not in MAKING]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Work where nothing is, and leave nothing there."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [writing(verb) for verb in WRITING], ids=WRITING)
def test_no_verb_writes_to_an_address(command, capsys):
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert f" {ADDRESS}" in said
    assert "galsmith writes to file systems alone; wanted a path" in said


@pytest.mark.parametrize("command", [*map(reading, READING), *OTHER_INPUTS])
def test_no_verb_reads_from_an_address(command, capsys):
    assert main(command.split()) == 1
    said = capsys.readouterr().err
    assert "s3://bucket/" in said
    assert "is no path, and galsmith reads from file systems alone; download it, or mount that place" in said


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate.sersic(ADDRESS, n=2),
        lambda: ingest.fits("there", ADDRESS),
        lambda: train("demo", "store", ADDRESS),
        lambda: sample("run", ADDRESS, n=2),
        lambda: measure("store", f"{ADDRESS}.parquet"),
        lambda: judge("a.parquet", "b.parquet", f"{ADDRESS}.json"),
    ],
)
def test_no_call_writes_to_an_address(call):
    with pytest.raises(
        SettingsError, match=r"output=s3://bucket/x\S*: galsmith writes to file systems alone"
    ):
        call()


@pytest.mark.parametrize("output", ["s3://b/x", Path("s3://b/x"), "https://b/x", "file:///b/x", "gs:/b/x"])
def test_addresses_are_told_from_paths_also_after_path_took_a_slash_away(output):
    with pytest.raises(SettingsError, match="galsmith writes to file systems alone"):
        refuse_remote_output(output)
    with pytest.raises(InputError, match="galsmith reads from file systems alone"):
        refuse_remote_input(output)
    with pytest.raises(InputError, match="galsmith reads from file systems alone"):
        refuse_remote_input(f"name={output}")


@pytest.mark.parametrize(
    "place", ["x", "/s3/x", "folder/s3:/x", "C:/x", "set.h5:/images", "g=a.fits,r=b.fits", "a:b"]
)
def test_paths_are_no_addresses(place):
    refuse_remote_output(place)
    refuse_remote_input(place)


def test_an_array_of_a_file_without_suffix_is_no_address(tmp_path):  # the working folder
    file = tmp_path / "set"
    file.touch()
    refuse_remote_input("set:/images")
    file.unlink()
    with pytest.raises(InputError, match="set://images: is no path"):
        refuse_remote_input("set:/images")
