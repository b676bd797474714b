"""The model families: those of the house, spelled out, and other people's; torch is loaded with the first that is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.errors import SettingsError
from galsmith.settings import Settings, near_miss, read_recipe, recipe_file, recipe_names, typed_settings

if TYPE_CHECKING:
    from galsmith.models.family import Family

GROUP = "galsmith.families"
HOUSE = "galsmith"
TABLES = ("transform", "model", "training")
ALSO_ALLOWED = ("about", "run", "data")


@dataclass(frozen=True)
class Listing:
    """What is said of a family before it is loaded.

    Attributes
    ----------
    when_to_choose : str
        One line for whoever must choose.
    record : Family or str
        The family, or where it is: ``"module:NAME"``, as entry points write it.
    config : str
        Where its settings are, in the same way, if they can be had without torch; else empty.
    given_by : str
        The distribution with its version, or the module that registered it.
    fault : str
        Why it cannot be used, in one line; empty where nothing is known against it.
    """

    when_to_choose: str
    record: "Family | str"
    config: str = ""
    given_by: str = HOUSE
    fault: str = ""


FAMILIES: dict[str, Listing] = {
    "pca_diffusion": Listing(
        "few cores: minutes to train, hundreds of galaxies a second; fine texture is drawn as noise",
        "galsmith.models.pca_diffusion.trainer:FAMILY",
        "galsmith.models.pca_diffusion.config:PcaDiffusionConfig",
    ),
    "diffusion": Listing(
        "arms, clumps and stars that must be seen, conditions, a GPU or hours of time",
        "galsmith.models.diffusion.trainer:FAMILY",
        "galsmith.models.diffusion.config:DiffusionConfig",
    ),
    "relay_diffusion": Listing(
        "real galaxies in color on few cores: arms, stars and sky noise after tens of minutes",
        "galsmith.models.relay_diffusion.trainer:FAMILY",
        "galsmith.models.relay_diffusion.config:RelayDiffusionConfig",
    ),
    "vae": Listing(
        "a latent space and the paper's baseline: stable and fast, but too smooth",
        "galsmith.models.vae.trainer:FAMILY",
        "galsmith.models.vae.config:VaeConfig",
    ),
    "alae": Listing(
        "a latent space with sharp images, as in the paper; a GPU and hours of time",
        "galsmith.models.alae.trainer:FAMILY",
        "galsmith.models.alae.config:AlaeConfig",
    ),
    "stylegan": Listing(
        "the paper's best generator, to compare with; a GPU and hours to train",
        "galsmith.models.stylegan:FAMILY",
        "galsmith.models.style_based.settings:StyleganConfig",
    ),
    "stylegan2": Listing(
        "as stylegan, without its droplet artifacts and a quarter faster to train",
        "galsmith.models.stylegan2:FAMILY",
        "galsmith.models.style_based.settings:Stylegan2Config",
    ),
    "field_composer": Listing(
        "whole fields of any size from minutes of training, each with its truth: sources, sky and how they cluster",
        "galsmith.models.field_composer.trainer:FAMILY",
        "galsmith.models.field_composer.config:FieldComposerConfig",
    ),
    "wgan": Listing(
        "whole fields of 1000 px with sparse sources, and a critic to predict their scores",
        "galsmith.models.wgan.trainer:FAMILY",
        "galsmith.models.wgan.config:WganConfig",
    ),
    "cvae": Listing(
        "the fields' paper's first baseline, to compare with: stable, and too smooth for sources of a few pixels",
        "galsmith.models.cvae.trainer:FAMILY",
        "galsmith.models.cvae.config:CvaeConfig",
    ),
    "dcgan": Listing(
        "the fields' paper's second baseline, to compare with; fast to train, few details",
        "galsmith.models.dcgan.trainer:FAMILY",
        "galsmith.models.dcgan.config:DcganConfig",
    ),
}


def register_family(family: "Family", *, when_to_choose: str) -> None:
    """Add a family of one's own, for this process; a package does it by an entry point of the group ``galsmith.families``.

    Parameters
    ----------
    family : Family
        The record.
    when_to_choose : str
        One line for whoever must choose.

    Raises
    ------
    SettingsError
        If there is a family of that name already.
    """
    known = listed_families().get(family.name)
    if known is not None:
        raise SettingsError(
            f"family {family.name!r}: is given by {known.given_by} already; choose another name"
        )
    FAMILIES[family.name] = Listing(when_to_choose, family, given_by=family.config.__module__)


def listed_families() -> dict[str, Listing]:
    """All families by name, those of installed packages after the house's; none of them is loaded."""
    found = dict(FAMILIES)  # the house's own come first
    for point in metadata.entry_points(group=GROUP):
        listing = _listing_of(point)
        if point.name in found:
            both = f"{found[point.name].given_by} and {listing.given_by}"
            fault = f"is given by {both}; uninstall one of them, or ask its authors for another name"
            # which of the two a snapshot meant cannot be known
            listing = Listing(f"cannot be used: {fault}", point.value, given_by=both, fault=fault)
        found[point.name] = listing
    return found


def family_named(name: object, *, source: str = "settings") -> "Family":
    """Load a family; `source` is who names it, for the error.

    Raises
    ------
    SettingsError
        If there is none of that name (the near miss is named), two packages give it, or the one that does is broken.
    """
    listed = listed_families()
    if name not in listed:
        hint = near_miss(name, list(listed)) if isinstance(name, str) else ""
        raise SettingsError(f"{source}: model.family is {name!r}{hint}; the families are {', '.join(listed)}")
    listing = listed[str(name)]
    if listing.fault:
        raise SettingsError(f"{source}: family {name!r} {listing.fault}")
    return _loaded(str(name), listing) if isinstance(listing.record, str) else listing.record


def recipes_by_family() -> dict[str, list[str]]:
    """Names of the recipes that train a model, by family; one of others, or without a shipped recipe, is its own."""
    listed = listed_families()
    shipped: dict[str, list[str]] = {name: [] for name in listed}
    for name in recipe_names():
        family = read_recipe(name).get("model", {}).get("family")
        if family in shipped:
            shipped[family].append(name)
    owned = {name for name in listed if listed[name].given_by != HOUSE or not shipped[name]}
    return {name: [name] * (name in owned) + recipes for name, recipes in shipped.items()}


def recipe_named(recipe: str | Path) -> Mapping[str, Any]:
    """Read a recipe; a family of others, or one without a shipped recipe, is its own, by its name.

    Raises
    ------
    SettingsError
        If there is no such recipe (the near miss is named), or its family cannot be loaded.
    """
    name, listing = str(recipe), listed_families().get(str(recipe))
    is_shipped = name in recipe_names() and (listing is None or listing.given_by == HOUSE)
    if is_shipped or recipe_file(recipe) is not None:
        return read_recipe(recipe)
    by_family = recipes_by_family()
    if name not in by_family.get(name, ()):
        known = [recipe for recipes in by_family.values() for recipe in recipes]
        raise SettingsError(
            f"recipe {name!r}: not found{near_miss(name, known)}; those that train a model are {', '.join(known)}, "
            "or give the path of a .toml file"
        )
    family = family_named(name, source=f"recipe {name!r}")
    return {**family.recipe, "model": {"family": name}}


def model_settings(values: Mapping[str, Any], *, source: str) -> tuple["Family", Settings]:
    """Read the table ``[model]`` of a recipe: the family and its typed config.

    Raises
    ------
    SettingsError
        If ``family`` is missing or unknown (the near miss is named), or a setting is.
    """
    family = family_named(values.get("family"), source=source)
    return family, typed_settings(family.config, values, source=f"{source}, [model]")


def check_tables(values: Mapping[str, Any], *, source: str) -> None:
    """Refuse a key of another name at the top of a recipe.

    Raises
    ------
    SettingsError
        It names the near miss.
    """
    for name in values:
        if name not in (*TABLES, *ALSO_ALLOWED):
            raise SettingsError(
                f"{source}: unknown table or key {name!r}{near_miss(name, TABLES)}; a recipe has the tables "
                f"[{'], ['.join(TABLES)}]"
            )


def check_model_settings(values: Mapping[str, Any], *, source: str) -> None:
    """Check the table ``[model]`` of a recipe as far as it can be without torch.

    Raises
    ------
    SettingsError
        If a setting of a family of the house is unknown (the near miss is named) or out of range.
    """
    listing = FAMILIES.get(str(values.get("family")))
    if listing is not None and listing.config:
        config = metadata.EntryPoint("config", listing.config, GROUP).load()
        typed_settings(config, values, source=f"{source}, [model]")


def _listing_of(point: metadata.EntryPoint) -> Listing:
    """List a family of a package by what its metadata say."""
    try:
        distribution = point.dist
        if distribution is None:
            raise ValueError("no distribution")
        given_by = f"{distribution.metadata['Name']} {distribution.version}"
        summary = distribution.metadata["Summary"]
    except Exception as error:  # metadata of others may be broken in any way, and help must be shown
        fault = (
            f"the metadata of the package that gives {point.value} cannot be read ({error}); install it again"
        )
        return Listing(f"cannot be used: {fault}", point.value, given_by=point.value, fault=fault)
    said = f"{summary} (from {given_by})" if summary else f"from {given_by}"
    return Listing(said, point.value, given_by=given_by)


def _loaded(name: str, listing: Listing) -> "Family":
    """Import a family, and refuse what is none."""
    point = metadata.EntryPoint(name, str(listing.record), GROUP)
    if listing.given_by == HOUSE:
        return point.load()
    try:
        record = point.load()
    except (Exception, SystemExit) as error:  # others' code may fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsError(
            f"family {name!r}: {point.value} of {listing.given_by} cannot be loaded ({type(error).__name__}: {reason}); "
            "mend that package, or uninstall it"
        ) from error
    from galsmith.models.family import Family

    if not isinstance(record, Family) or record.name != name:
        is_what = (
            f"the family {record.name!r}" if isinstance(record, Family) else f"a {type(record).__name__}"
        )
        raise SettingsError(
            f"family {name!r}: {point.value} of {listing.given_by} is {is_what}; wanted a galsmith.models.Family of that "
            "name: ask its authors"
        )
    return record
