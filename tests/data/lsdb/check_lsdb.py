"""Whether LSDB opens what galsmith exports, in two environments: ``make test-lsdb`` runs both halves.

``python check_lsdb.py write DIR`` runs with galsmith and writes a catalog; ``python check_lsdb.py check DIR`` runs where
lsdb is installed, and compares what it reads with arrays of numpy that lie beside them.
"""

import sys
from pathlib import Path

import numpy as np

N, SIDES = 300, ((2, 20, 20), (2, 17, 24))


def write(folder: Path) -> None:
    """Write a catalog of images of two sizes, and their pixels as arrays."""
    from astropy.table import QTable

    from galsmith.data.export import export
    from galsmith.data.writers.registry import HatsWriting
    from galsmith.images import ImageHeader, image_set_from_arrays

    rng = np.random.default_rng(1)
    images = [rng.normal(0, 1, SIDES[row % 2]).astype(np.float32) for row in range(N)]
    catalog = QTable({"object_id": [f"galaxy {row}" for row in range(N)]})
    catalog["ra"], catalog["dec"] = rng.uniform(0, 360, N), np.degrees(np.arcsin(rng.uniform(-1, 1, N)))
    catalog["mag"] = rng.uniform(18, 24, N)
    header = ImageHeader(("g", "r"), "nJy", pixel_scale_arcsec=0.168, psf={"psf_fwhm_pix": 4.0})
    made = image_set_from_arrays(images, header, catalog=catalog)
    export("hats", made, folder / "hats", writing=HatsWriting(rows_per_file=20))
    np.savez(
        folder / "pixels.npz",
        **dict(zip(catalog["object_id"], images, strict=True)),
    )
    np.save(folder / "places.npy", np.stack([catalog["ra"], catalog["dec"]]))


def check(folder: Path) -> None:
    """Open the catalog with LSDB, and compare."""
    import lsdb
    from hats.io.validation import is_valid_catalog
    from hats.pixel_math.spatial_index import compute_spatial_index

    place = folder / "hats"
    said = {"valid": is_valid_catalog(place, strict=True)}
    catalog = lsdb.open_catalog(place)
    rows = catalog.compute()
    said["rows"] = len(rows) == N == len(catalog)
    pixels = np.load(folder / "pixels.npz")
    said["pixels"] = all(
        list(image["band"]) == ["g", "r"]
        and all(
            np.array_equal(np.array([*map(np.asarray, flux)], dtype=np.float32), plane)
            for flux, plane in zip(image["flux"], pixels[name], strict=True)
        )
        for name, image in zip(rows["object_id"], rows["image"], strict=True)
    )
    ra, dec = np.load(folder / "places.npy")
    said["healpix"] = np.array_equal(np.sort(compute_spatial_index(ra, dec)), np.sort(rows.index.to_numpy()))
    cone = catalog.cone_search(ra=float(ra[5]), dec=float(dec[5]), radius_arcsec=1.0).compute()
    said["cone search"] = list(cone["object_id"]) == ["galaxy 5"]
    some = set(lsdb.open_catalog(place, columns=["object_id", "mag"]).compute().columns)
    said["columns"] = {"object_id", "mag"} <= some and "image" not in some  # lsdb adds places on the sky
    words = ", ".join(f"{name} {'good' if good else 'WRONG'}" for name, good in said.items())
    sys.stdout.write(f"lsdb {lsdb.__version__}: {words}\n")
    if not all(said.values()):
        sys.exit(1)


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
