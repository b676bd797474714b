"""The import contract of the families: whatever stands in `FAMILIES` is independent, with no second list of names."""

from typing import Any

from importlinter.contracts.independence import IndependenceContract

from galsmith.models.families import FAMILIES


def family_modules() -> list[str]:
    """Modules of the families of the house: a file each, or a folder."""
    records = [listing.record for listing in FAMILIES.values()]
    homes = [record.partition(":")[0] for record in records if isinstance(record, str)]
    return sorted(".".join(home.split(".")[:3]) for home in homes)


class FamiliesContract(IndependenceContract):
    """Independence of all modules that the table of families names."""

    def __init__(self, name: str, session_options: dict[str, Any], contract_options: dict[str, Any]) -> None:
        super().__init__(name, session_options, {**contract_options, "modules": family_modules()})
