"""Make the lines of a recipe of fields that follow from its law: centers, scales and quantiles of the similarity.

    python benchmarks/fields/calibrate.py fields-500 [--set count.mean=60 ...]

Run it when the law or the weights of a recipe change, and put what it prints in place of the lines in the recipe;
tests/data/test_fields.py notices when they do not belong together.
"""

import argparse

import numpy as np

from galsmith.data.fields.galaxyness import QUANTITIES, realized_quantities, similarity_of
from galsmith.data.fields.law import FieldSettings, draw_field
from galsmith.settings import apply_overrides, read_recipe, typed_settings

N_QUANTILES = 51
CLEAN = ("non_cosmology_share=0.0", "corrupted_share=0.0")


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("-n", type=int, default=20_000)
    arguments = parser.parse_args()
    values = apply_overrides(read_recipe(arguments.recipe), [*arguments.overrides, *CLEAN])
    settings = typed_settings(FieldSettings, values, source=f"recipe {arguments.recipe}")
    for line in calibrated_lines(settings, n=arguments.n):
        print(line)


def calibrated_lines(settings: FieldSettings, *, n: int) -> list[str]:
    """Draw clean fields and give the three lines."""
    quantities = np.array(
        [
            realized_quantities(
                draw_field(settings, seed=2020, position=position).sources,
                settings.score,
                side_pix=settings.side_pix,
            )
            for position in range(n)
        ]
    )
    centers, scales = quantities.mean(axis=0).round(4), quantities.std(axis=0).round(4)
    standard = settings.score.model_copy(update={"centers": tuple(centers), "scales": tuple(scales)})
    found = np.quantile(similarity_of(quantities, standard), np.linspace(0, 1, N_QUANTILES)).round(3)
    return [
        f"# of {', '.join(QUANTITIES)}",
        f"centers = {centers.tolist()}",
        f"scales = {scales.tolist()}",
        f"similarity_quantiles = {found.tolist()}",
    ]


if __name__ == "__main__":
    main()
