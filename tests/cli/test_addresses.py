"""What a verb cannot read or write at an address is refused before anything starts, and makes no folder ``s3:``."""

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

ADDRESS, UNKNOWN = "s3://bucket/x", "ftp://bucket/x"
READ_FAR = (
    "info",
    "train",
    "compare",
    "measure",
    "observe",
    "sample",
    "ingest fits",
    "ingest folder",
    "ingest store",
)
WRITTEN_FAR = ("measure", "observe", "sample", "ingest", "simulate")
FLAGS = {
    "ingest field": " --zero-points r=25",
    "snapshot": " --half",
    "sample": " -n 2",
    **{f"simulate {name}": " -n 2" for name in SIMULATORS},
    "score fit": " --data there",
    "denoise fit": " --data there",
    "study": " --data there --generated there",
    "denoise study": " --data there",
    "check-asked": " --training there",
    "score threshold": " --labeled 12 --negatives 2",
}
OTHER_INPUTS = [
    "ingest field g=s3://bucket/x.fits,r=there.fits --zero-points g=25,r=25 -o made",
    "ingest arrays s3://bucket/x.h5:/images -o made",
    "train s3://bucket/x.toml --data store -o made",
    "train demo --data store --init-from s3://bucket/x -o made",
    "measure there.fits --psf s3://bucket/x -o made.parquet",
    "measure there.fits --segmap s3://bucket/x --figure made.png",
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
    output = "" if verb in ("info", "score threshold", "check-data", "check-asked") else f" -o made{suffix}"
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


@pytest.mark.parametrize("verb", [verb for verb in WRITING if verb.split()[0] not in WRITTEN_FAR])
def test_other_verbs_write_to_no_address(verb, capsys):
    assert main(writing(verb).split()) == 2
    said = capsys.readouterr().err
    assert f" {ADDRESS}" in said
    assert "galsmith writes this to file systems alone; wanted a path" in said


@pytest.mark.parametrize("verb", WRITING)
def test_no_verb_writes_to_an_unknown_address(verb, capsys):
    assert main(writing(verb).replace(ADDRESS, UNKNOWN).split()) == 2
    said = capsys.readouterr().err
    assert f" {UNKNOWN}" in said
    assert "nothing can be written to ftp://" in said or "writes this to file systems alone" in said


def test_cutouts_and_csv_are_written_to_no_address(capsys):
    assert main(f"sample run -n 2 --format fits -o {ADDRESS}".split()) == 2
    assert "writes this to file systems alone" in capsys.readouterr().err
    assert main(f"measure there.fits -o {ADDRESS}.csv".split()) == 2
    assert "writes this to file systems alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [*(reading(verb) for verb in READING if verb not in READ_FAR), *OTHER_INPUTS]
)
def test_other_inputs_are_read_from_no_address(command, capsys):
    assert main(command.split()) == 1
    said = capsys.readouterr().err
    assert "s3://bucket/" in said
    assert (
        "is no path, and galsmith reads this from file systems alone; download it, or mount that place"
        in said
    )


@pytest.mark.parametrize("command", [*map(reading, READ_FAR)])
def test_no_verb_reads_from_an_unknown_address(command, capsys):
    assert main(command.replace(ADDRESS, UNKNOWN).split()) == 1
    assert (
        f"{UNKNOWN}: is no path, and ftp:// is not read; wanted a path, or an address of"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate.sersic(UNKNOWN, n=2),
        lambda: ingest.fits("there", UNKNOWN),
        lambda: train("demo", "store", ADDRESS),
        lambda: sample("run", UNKNOWN, n=2),
        lambda: sample("run", ADDRESS, n=2, kind="fits"),
        lambda: measure("store", f"{UNKNOWN}.parquet"),
        lambda: judge("a.parquet", "b.parquet", f"{ADDRESS}.json"),
    ],
)
def test_no_call_writes_to_an_address(call):
    with pytest.raises(
        SettingsError,
        match=r"output=\w+://bucket/x\S*: (galsmith writes this to file systems alone|nothing can be written to ftp)",
    ):
        call()


@pytest.mark.parametrize("output", ["s3://b/x", Path("s3://b/x"), "https://b/x", "file:///b/x", "gs:/b/x"])
def test_addresses_are_told_from_paths_also_after_path_took_a_slash_away(output):
    with pytest.raises(SettingsError, match="galsmith writes this to file systems alone"):
        refuse_remote_output(output)
    with pytest.raises(InputError, match="galsmith reads this from file systems alone"):
        refuse_remote_input(output)
    with pytest.raises(InputError, match="galsmith reads this from file systems alone"):
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
