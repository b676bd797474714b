"""``s3://`` against a server of its own, moto: runs where moto and s3fs are installed (``make test-remote``)."""

import numpy as np
import pytest

from galsmith import simulate
from galsmith.cli import main
from galsmith.data import ingest
from galsmith.data.store import open_store, verify_store
from galsmith.errors import OutputError
from galsmith.measure import MeasureSettings, measure, read_measurements

server_module = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")

POWER = MeasureSettings(quantities=("power",))


@pytest.fixture(scope="module")
def endpoint():
    """A server of S3 in this process."""
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(endpoint, monkeypatch, tmp_path):
    """An empty bucket, and who may use it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "GALSMITH_REMOTE_FOLDER": str(tmp_path / "far"),
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    name = tmp_path.name.replace("_", "-").lower()[:60].strip("-")
    files.mkdir(name)
    yield name
    files.rm(name, recursive=True)


def test_store_and_table_go_there_and_back(bucket, tmp_path):
    local = simulate.sersic(tmp_path / "store", n=12, seed=1, recipe="sersic-32")
    far = simulate.sersic(f"s3://{bucket}/set/store", n=12, seed=1, recipe="sersic-32")
    assert far.content_hash == local.content_hash
    assert np.array_equal(far.pixels.read([7, 2]), local.pixels.read([7, 2]))
    assert verify_store(f"s3://{bucket}/set/store") == []
    table = measure(far.path, f"s3://{bucket}/t.parquet", settings=POWER)
    assert read_measurements(f"s3://{bucket}/t.parquet").meta["content_hash"] == table.meta["content_hash"]
    some = ingest.store(far.path, f"s3://{bucket}/some")
    assert some.content_hash == open_store(f"s3://{bucket}/some").content_hash


def test_a_rerun_finds_it_made_and_another_replaces_it(bucket, capsys):
    words = f"simulate sersic --recipe sersic-32 -o s3://{bucket}/store -n"
    assert main([*words.split(), "300", "--quiet"]) == 0
    assert main([*words.split(), "300"]) == 0
    assert "already there" in capsys.readouterr().err
    assert main([*words.split(), "4"]) == 2
    assert main([*words.split(), "4", "--overwrite", "--quiet"]) == 0
    assert verify_store(f"s3://{bucket}/store") == []
    assert len(s3fs.S3FileSystem().find(f"{bucket}/store")) == 3


def test_cutouts_of_a_bucket_become_a_store(bucket, tmp_path):
    from astropy.io import fits

    files = s3fs.S3FileSystem()
    for number in range(4):
        fits.writeto(
            tmp_path / f"{number}.fits", np.full((8, 8), number, np.float32) + np.eye(8, dtype=np.float32)
        )
        files.put_file(str(tmp_path / f"{number}.fits"), f"{bucket}/cut/{number}.fits")
    images = ingest.fits(f"s3://{bucket}/cut", tmp_path / "made")
    assert [float(image.mean()) for image in images.pixels.read(range(4))] == [0.125, 1.125, 2.125, 3.125]


def test_a_bucket_that_is_not_there_and_a_key_that_is_not_known(bucket, monkeypatch, capsys):
    with pytest.raises(OutputError, match="there is no such file, folder or bucket"):
        simulate.sersic("s3://no-such-bucket/store", n=4, recipe="sersic-32")
    assert main(["info", f"s3://{bucket}/nothing"]) == 1
    assert f"s3://{bucket}/nothing" in capsys.readouterr().err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(OutputError, match=r"cannot be written \(access is refused .*AWS_ACCESS_KEY_ID"):
        simulate.sersic(f"s3://{bucket}/other", n=4, recipe="sersic-32")
