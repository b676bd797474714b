"""Snapshots come back whole, are replaced in one step, and refuse what they cannot vouch for."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from galsmith.errors import GalsmithError, InputError, SettingsError
from galsmith.files import read_json
from galsmith.files.bounds import VARIABLE
from galsmith.files.seal import KEY, unsealed
from galsmith.models import snapshot as snapshot_module
from galsmith.models.snapshot import load_snapshot, read_snapshot_page, save_snapshot
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream


@pytest.fixture
def facts(description_of, training_blobs, transform):
    """Everything but the generator and its config."""
    return {
        "description": description_of(training_blobs),
        "transform": transform,
        "card": {
            "images_seen": 7,
            "bands": ["g"],
            "flux_unit": "nJy",
            "provenance": Provenance("train").to_dict(),
        },
    }


@pytest.fixture
def saved(tmp_path, build, training_blobs, facts):
    """Save a tiny generator of a family; gives (folder, generator)."""

    def save(family="pca_diffusion", seed=0, folder=tmp_path / "snapshot"):
        generator = build(family, training_blobs, seed=seed).generator.eval()
        save_snapshot(folder, generator, config=generator.config, **facts)
        return folder, generator

    return save


def rewritten(folder, change_page=None, change_tensors=None):
    """Write the weights file anew with a changed page or tensors, as a faulty program would."""
    path = folder / "snapshot.safetensors"
    with safe_open(path, framework="pt") as stream:
        page = json.loads(stream.metadata()["galsmith"])
        page.pop(KEY, None)  # a faulty program seals nothing
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a dict
    if change_page:
        change_page(page)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, metadata={"galsmith": json.dumps(page)})


def test_scalars_of_training_galaxies_come_back_beside_the_weights(tmp_path, build, training_blobs, facts):
    generator = build("pca_diffusion", training_blobs).generator.eval()
    scalars = np.arange(12, dtype=np.float32).reshape(4, 3)
    save_snapshot(tmp_path, generator, config=generator.config, trained_scalars=scalars, **facts)
    loaded = load_snapshot(tmp_path)
    np.testing.assert_array_equal(loaded.trained_scalars, scalars)
    assert torch.equal(loaded.generator.sample([3]).pixels, generator.sample([3]).pixels)
    save_snapshot(tmp_path, generator, config=generator.config, **facts)
    assert load_snapshot(tmp_path).trained_scalars is None


def test_a_snapshot_draws_what_its_generator_drew(saved, family, tiny_configs, facts):
    folder, generator = saved(family)
    loaded = load_snapshot(folder)
    assert torch.equal(loaded.generator.sample([3, 4]).pixels, generator.sample([3, 4]).pixels)
    assert loaded.family.name == tiny_configs[family].family
    assert loaded.config == tiny_configs[family]
    assert loaded.description == facts["description"]
    assert loaded.transform == facts["transform"]
    assert loaded.card == facts["card"]
    assert not loaded.generator.training


def test_half_precision_is_for_learned_matrices_alone(tmp_path, build, training_blobs, facts, family):
    generator = build(family, training_blobs).generator.eval()
    save_snapshot(tmp_path, generator, config=generator.config, half=True, **facts)
    loaded = load_snapshot(tmp_path).generator.state_dict()
    with safe_open(tmp_path / "snapshot.safetensors", framework="pt") as stream:
        stored = {name: stream.get_tensor(name).dtype for name in stream.keys()}  # noqa: SIM118 - not a dict
    learned = {name for name, value in generator.named_parameters() if value.ndim > 1}
    assert {name for name, dtype in stored.items() if dtype == torch.float16} == learned
    for name, value in generator.state_dict().items():
        assert loaded[name].dtype == value.dtype
        torch.testing.assert_close(loaded[name], value, rtol=1e-3 if name in learned else 0, atol=1e-7)


def test_a_weight_beyond_half_precision_is_refused(tmp_path, build, training_blobs, facts):
    generator = build("pca_diffusion", training_blobs).generator
    generator.network.enter.weight.data[0, 0] = 1e5
    with pytest.raises(SettingsError, match=r"network.enter.weight does not fit into float16"):
        save_snapshot(tmp_path / "half", generator, config=generator.config, half=True, **facts)
    assert not (tmp_path / "half").exists()


def test_the_page_beside_it_says_the_same(saved):
    folder, _ = saved()
    page = read_json(folder / "snapshot.json")
    assert page == read_snapshot_page(folder)
    assert page["format_version"] == 1
    assert page["model"]["family"] == "pca_diffusion"


def test_saving_again_replaces_it_and_leaves_no_other_file(saved):
    folder, _ = saved()
    _, second = saved(seed=1)
    assert torch.equal(load_snapshot(folder).generator.sample([3]).pixels, second.sample([3]).pixels)
    assert sorted(path.name for path in folder.iterdir()) == ["snapshot.json", "snapshot.safetensors"]


def test_a_writer_killed_midway_leaves_the_old_snapshot(saved, monkeypatch):
    folder, first = saved()

    def interrupted(tensors, path, metadata):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(snapshot_module, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        saved(seed=1)
    assert torch.equal(load_snapshot(folder).generator.sample([3]).pixels, first.sample([3]).pixels)


def test_a_missing_snapshot_is_named(tmp_path):
    with pytest.raises(InputError, match=r"snapshot.safetensors: there is no snapshot; train one"):
        load_snapshot(tmp_path)


def test_a_truncated_file_is_refused(saved):
    folder, _ = saved()
    path = folder / "snapshot.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable snapshot"):
        load_snapshot(folder)


def test_changed_weights_are_refused(saved):
    folder, _ = saved()
    rewritten(folder, change_tensors=lambda tensors: tensors["network.leave.weight"].add_(0.1))
    with pytest.raises(InputError, match="damaged, its weights do not match their hash"):
        load_snapshot(folder)


def test_another_format_version_is_refused(saved):
    folder, _ = saved()
    rewritten(folder, change_page=lambda page: page.update(format_version=2))
    with pytest.raises(InputError, match="has snapshot format version 2, this galsmith reads version 1"):
        load_snapshot(folder)


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / "snapshot.safetensors")
    with pytest.raises(InputError, match="not a galsmith snapshot"):
        read_snapshot_page(tmp_path)


def test_an_unknown_family_is_refused(saved):
    folder, _ = saved()
    rewritten(folder, change_page=lambda page: page["model"].update(family="gan"))
    with pytest.raises(InputError, match=r"is of the family 'gan', which is not installed here; use the"):
        load_snapshot(folder)


def test_weights_of_another_shape_are_refused(saved):
    folder, _ = saved()
    rewritten(folder, change_page=lambda page: page["model"].update(width=64))
    with pytest.raises(InputError, match="cannot be used by this galsmith"):
        load_snapshot(folder)


def test_settings_of_absurd_size_are_refused_before_weights_are_allocated(saved, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.01")
    folder, _ = saved()
    load_snapshot(folder)

    def enlarge(page):
        page["model"]["width"] = 200_000

    rewritten(folder, enlarge)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"snapshot\.safetensors: claims .* GB"):
        load_snapshot(folder)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_a_safetensors_file_that_is_also_an_archive_is_refused(saved):
    folder, _ = saved()
    path = folder / "snapshot.safetensors"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("data.pkl", "cos\nsystem\n(S'true'\ntR.")
    with path.open("ab") as stream:
        stream.write(archive.getvalue())
    with pytest.raises(InputError, match="not a readable snapshot"):
        load_snapshot(folder)


@pytest.mark.parametrize("name", ["snapshot.safetensors", "snapshot.json"])
def test_every_flipped_byte_of_a_snapshot_is_told(saved, name):
    folder, _ = saved()
    content = (folder / name).read_bytes()
    rng = random_stream(1, "flips")
    assert unsealed([folder / name]) == []
    for place in (*range(0, 300, 7), *rng.integers(len(content), size=100)):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(changed)
        assert unsealed([folder / name]), place


def paths_of(value, prefix=()):
    """Every place in nested JSON."""
    for key, item in value.items() if isinstance(value, dict) else ():
        yield (*prefix, key)
        yield from paths_of(item, (*prefix, key))


def test_every_key_of_the_page_of_a_snapshot_may_be_wrong(saved):
    folder, _ = saved()
    page = read_snapshot_page(folder)
    original = (folder / "snapshot.safetensors").read_bytes()
    for place in paths_of(page):
        for value in (None, "x", -1, [], {}, "missing"):

            def change(page, place=place, value=value):
                *above, last = place
                for key in above:
                    page = page[key]
                if value == "missing":
                    del page[last]
                else:
                    page[last] = value

            (folder / "snapshot.safetensors").write_bytes(original)
            rewritten(folder, change)
            try:
                load_snapshot(folder)
            except GalsmithError as error:
                assert str(folder) in str(error), (place, value)  # noqa: PT017 - anything else is a failure
