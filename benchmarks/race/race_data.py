"""The sets of a race: images to learn from, and held-out ones that nobody learns from."""

from collections.abc import Callable
from pathlib import Path

from race_plan import SIZE_PIX, Plan, RaceFolder

import galsmith
from galsmith.data.options import SetOptions
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError
from galsmith.seeds import random_stream

TRAINING_SEED, REFERENCE_SEED = 1, 2
PICTURES = {".png", ".jpg", ".jpeg"}


def make_sets(plan: Plan, folder: RaceFolder, pictures: Path | None, log: Callable[[str], None]) -> None:
    """Simulate or ingest both sets, unless they are there."""
    makers = {"sersic": _simulate, "efigi": _ingest}
    stores = {"training": folder.training_store, "reference": folder.reference_store}
    for role, store in stores.items():
        if not is_complete(store):
            makers[plan.data](plan, role, store, pictures)
            log(f"{role} set: {len(open_store(store)):,} images of {SIZE_PIX} px")


def is_complete(store: Path) -> bool:
    """Whether a store is there and finished."""
    if not is_store(store):
        return False
    try:
        open_store(store)
    except InputError:
        return False
    return True


def split_pictures(pictures: Path, plan: Plan) -> dict[str, list[Path]]:
    """Deal a folder of pictures into two parts by lot; the same lot for the same names.

    Raises
    ------
    InputError
        If there are fewer pictures than the reference and one training image need.
    """
    found = sorted(path for path in pictures.iterdir() if path.suffix.lower() in PICTURES)
    if len(found) <= plan.n_reference:
        raise InputError(
            f"--images {pictures}: has {len(found)} pictures; wanted more than the {plan.n_reference} of --reference"
        )
    order = random_stream(plan.seed, "race.split").permutation(len(found))
    dealt = [found[place] for place in order]
    end = min(len(dealt), plan.n_reference + plan.n_training)
    return {"reference": sorted(dealt[: plan.n_reference]), "training": sorted(dealt[plan.n_reference : end])}


def _simulate(plan: Plan, role: str, store: Path, _: Path | None) -> None:
    """Draw Sérsic galaxies; the two sets have seeds of their own."""
    n, seed = {
        "training": (plan.n_training, TRAINING_SEED),
        "reference": (plan.n_reference, REFERENCE_SEED),
    }[role]
    galsmith.simulate.sersic(
        store, n=n, seed=seed, recipe="sersic-64", options=SetOptions(split=_all_of(role))
    )


def _ingest(plan: Plan, role: str, store: Path, pictures: Path | None) -> None:
    """Bring one part of the pictures in; links keep the two parts apart without copies."""
    if pictures is None or not pictures.is_dir():
        raise InputError(
            f"--images {pictures}: wanted the folder with EFIGI's pictures, as --data efigi needs one"
        )
    links = store.with_name(f"{store.name}-pictures")
    links.mkdir(exist_ok=True)
    for picture in split_pictures(pictures, plan)[role]:
        link = links / picture.name
        if not link.is_symlink():
            link.symlink_to(picture.resolve())
    galsmith.ingest.folder(
        links, store, options=SetOptions(resize_pix=SIZE_PIX, split=_all_of(role), on_bad="skip")
    )


def _all_of(role: str) -> tuple[float, float, float]:
    """Put all of a set into the split of its role."""
    return (1.0, 0.0, 0.0) if role == "training" else (0.0, 0.0, 1.0)
