"""Ask statmorph itself again about some of the oracle's galaxies: does it still say what is frozen?

    python tests/measure/oracle/check_oracle.py --data ../shared/data --galaxies 5

ends with code 1 and a line for each number that is not what it was. For continuous integration, where
statmorph is installed; the fast tests read the frozen numbers only. Of fits that statmorph does not repeat when
rounding differs (`repeatable.py`), the chi-squared is held to 1 % and the laws are not compared.
"""

import argparse
import itertools
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from freeze_oracle import DOUBLE_SERSIC, HERE, answer
from oracle_sets import ORACLE_SETS
from repeatable import CHI2_REPEATS, REPEATABLE_DOUBLE, UNREPEATABLE

# A fit ends where the rounding of the machine's exponentials takes it.
TOLERANCE, SERSIC_TOLERANCE = 1e-9, 1e-5
ZERO = 1e-13
CHI2 = ("sersic_chi2_dof", "doublesersic_chi2_dof")


def differences(set_name: str, *, data: Path, galaxies: int) -> Iterator[str]:
    """Yield a line for each value that differs from the frozen one."""
    rows = {row["name"]: row for row in pq.read_table(HERE / f"{set_name}.parquet").to_pylist()}
    for position, galaxy in enumerate(itertools.islice(ORACLE_SETS[set_name](data), galaxies)):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            now = answer(galaxy, double_sersic=position < DOUBLE_SERSIC.get(set_name, 0))
        now.pop("cpu_s", None)
        for name, value in now.items():
            frozen = rows[galaxy.name][name]
            if not _same(value, frozen, tolerance=tolerance_of(name, set_name, galaxy.name)):
                yield f"{set_name} {galaxy.name} {name}: {value!r}, frozen {frozen!r}"


def tolerance_of(quantity: str, set_name: str, galaxy: str) -> float:
    """The relative difference that rounding may make; infinite where a fit does not repeat."""
    is_double = "doublesersic" in quantity
    if not is_double and "sersic" not in quantity:
        return TOLERANCE
    repeats = galaxy in REPEATABLE_DOUBLE if is_double else galaxy not in UNREPEATABLE.get(set_name, ())
    if repeats:
        return SERSIC_TOLERANCE
    return CHI2_REPEATS if quantity in CHI2 else math.inf


def _same(value: Any, frozen: Any, *, tolerance: float) -> bool:
    """Whether two values are equal, numbers within rounding."""
    if not isinstance(value, float) or frozen is None:
        return bool(value == frozen)
    return math.isclose(value, frozen, rel_tol=tolerance, abs_tol=ZERO)


def main() -> None:
    """Check the sets that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=list(ORACLE_SETS), help="all when none is named")
    parser.add_argument("--data", type=Path, required=True, help="folder of real galaxies")
    parser.add_argument("--galaxies", type=int, default=5, help="how many of each set")
    arguments = parser.parse_args()
    lines = []
    for set_name in arguments.sets:
        lines += differences(set_name, data=arguments.data, galaxies=arguments.galaxies)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.write(f"oracle: {len(lines)} numbers differ from the frozen ones\n")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
