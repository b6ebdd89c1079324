"""How the people of a clip look: clothes, colours, hair, skin. Pure data, drawn once per clip; no bpy here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from typing import Any

import numpy as np

from synth import taxonomy
from synth.errors import BadFile
from synth.files import read_json

Colour = tuple[float, float, float]  # linear RGB, 0..1
OUTFITS, PATTERNS = ("scrubs", "gown", "everyday", "pyjamas"), ("plain", "stripes", "checks", "dots")
LOOKS_VERSION = 1

# skin tones from Fitzpatrick type I to VI, sRGB
_TONES = ("e6bda3", "dcaa8b", "cd9670", "ad7852", "815237", "513022")
_HAIR = {
    "black": "1a1412",
    "dark": "33231a",
    "brown": "553a28",
    "chestnut": "6d4128",
    "blond": "a98554",
    "red": "7d3d1f",
    "grey": "8d8a86",
    "silver": "b9b6b1",
    "white": "dedbd5",
}
_SCRUBS = ("1f5f8b", "16425b", "2f7f79", "5b8fa8", "6b3f5e", "33475b", "3f7d58", "7fa3b8")
_GOWN = ("b9cdd6", "c6d5cb", "cfd6e3", "aac4c9")
_PYJAMAS = ("7d92b3", "b28a93", "6f8577", "a79a86", "56627d", "9c7d9b")
_JUMPERS = ("7a3038", "3c5a47", "2f4259", "8f7b5c", "6b5876", "9a9488", "45413c", "a2603f", "51707d")
_SHIRTS = ("c9d3dc", "d9cfc0", "8ea4ba", "b5c0a8", "d7b9b0", "e4e1da")
_TROUSERS = ("2b2d33", "3d3a36", "4a4f5c", "59503f", "23304a", "6b6459")
_SHOES = {"scrubs": ("e8e6e2", "2a2a2c", "d6dde0"), "everyday": ("2c211a", "3a2c22", "1d1d1f", "5a4632")}
_SOCKS = ("c9c4bb", "7d8790", "4d5560", "b79a8e", "e6e2da")
_IRIS = ("4a2f1b", "5f4426", "6d7450", "5c7d94", "7d8f9a")


@dataclass(frozen=True)
class PersonLook:
    """One person's appearance.

    Attributes:
        outfit: "scrubs", "gown", "everyday" or "pyjamas".
        parts: the garments worn, names of the body's parts.
        hair: a hair part's name, or None.
        colours: garment part -> linear RGB; also "trim" (badge, piping), "sole", "stripe".
        pattern: cloth pattern of the top: "plain", "stripes", "checks" or "dots".
        hair_colour, brow_colour, iris: linear RGB.
        skin: linear RGB of the skin.
    beard: 0 shaved .. 1 dark stubble.
        age: years; drives spots and redness.
        seed: of what the materials draw (noise offsets).
    """

    outfit: str
    parts: tuple[str, ...]
    hair: str | None
    colours: dict[str, Colour]
    pattern: str
    hair_colour: Colour
    brow_colour: Colour
    iris: Colour
    skin: Colour
    beard: float
    age: float
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Plain values for labels and manifests."""
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """The people of a clip, in the interaction's order."""

    people: tuple[PersonLook, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for labels and manifests."""
        return asdict(self)


@dataclass(frozen=True)
class Wish:
    """What is asked for of somebody's looks; all else is drawn.

    Attributes:
        role: of the people it is for; None: for the person at its own place in the list.
        outfit, tone: as of ``draw_person_look``.
        fixed: fields of ``PersonLook`` that are set whatever is drawn.
    """

    role: str | None = None
    outfit: str | None = None
    tone: float | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)


def linear(srgb: str) -> Colour:
    """A hexadecimal sRGB colour as linear RGB (IEC 61966-2-1)."""
    values = [int(srgb[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return (r, g, b)


def _pick(rng: np.random.Generator, colours: Sequence[str], vary: float = 0.12) -> Colour:
    r, g, b = linear(colours[int(rng.integers(len(colours)))])
    much = float(np.exp(rng.normal(0, vary)))
    return (min(r * much, 0.95), min(g * much, 0.95), min(b * much, 0.95))


def _tone(rng: np.random.Generator, place: float | None) -> tuple[Colour, float]:
    """A skin colour and its place on the scale, 0 lightest .. 1 darkest."""
    drawn = float(np.clip(rng.beta(1.3, 1.9), 0.0, 1.0))
    place = drawn if place is None else place
    at = place * (len(_TONES) - 1)
    k = min(int(at), len(_TONES) - 2)
    low, high = np.array(linear(_TONES[k])), np.array(linear(_TONES[k + 1]))
    colour = (low + (at - k) * (high - low)) * rng.normal(1, 0.03, 3).clip(0.92, 1.08)
    return (float(colour[0]), float(colour[1]), float(colour[2])), place


def _hair_colour(rng: np.random.Generator, age: float, dark: float) -> str:
    grey = float(np.interp(age, (35, 50, 65, 75), (0.02, 0.25, 0.75, 0.97)))
    if rng.uniform() < grey:
        names: tuple[str, ...] = ("grey", "silver", "white")
        shares = np.array([1.0, 1.0, 0.2]) if age < 65 else np.array([0.7, 1.2, 1.0])
    elif dark > 0.6:
        names, shares = ("black", "dark"), np.array([2.0, 1.0])
    else:
        names = ("dark", "brown", "chestnut", "blond", "red")
        shares = np.array([1.2, 1.5, 0.8, 0.8, 0.15])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def _style(rng: np.random.Generator, gender: str, age: float, dark: float) -> str:
    if gender == "male":
        names: tuple[str, ...] = ("hair_short", "hair_thin", "hair_balding", "hair_curly")
        old = float(np.clip((age - 40) / 40, 0, 1))
        shares = np.array([1.0 - 0.55 * old, 0.1 + 0.7 * old, 0.1 + 0.9 * old, 0.1 + 0.35 * (dark > 0.6)])
    else:
        names = ("hair_short", "hair_medium", "hair_bun", "hair_curly", "hair_thin")
        old = float(np.clip((age - 45) / 35, 0, 1))
        shares = np.array([0.25 + 0.6 * old, 0.8 - 0.2 * old, 0.8 - 0.4 * old, 0.25 + 0.5 * old, 0.3 * old])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def draw_person_look(
    rng: np.random.Generator, role: str, gender: str, age: float, outfit: str | None = None,
    tone: float | None = None,
) -> PersonLook:  # fmt: skip
    """Draw one person's appearance.

    Args:
        rng: source of chance.
        role: "staff" wears scrubs; "patient" gown, pyjamas or everyday clothes; "person" everyday clothes.
        gender: "female" or "male".
        age: years.
        outfit: forces the kind of clothes.
        tone: forces the skin's tone, 0 lightest .. 1 darkest.
    """
    skin, dark = _tone(rng, tone)
    hair = _hair_colour(rng, age, dark)
    if outfit is None:
        wardrobe = {"staff": ("scrubs",), "patient": ("gown", "pyjamas", "everyday", "everyday")}
        choices = wardrobe.get(role, ("everyday",))
        outfit = choices[int(rng.integers(len(choices)))]
    colours: dict[str, Colour] = {}
    pattern = "plain"
    if outfit == "scrubs":
        parts: tuple[str, ...] = ("scrubs_top", "loose_trousers", "shoes")
        colours["scrubs_top"] = colours["loose_trousers"] = _pick(rng, _SCRUBS)
        if rng.uniform() < 0.25:
            colours["loose_trousers"] = _pick(rng, ("1d2733", "22304a"))
        colours["shoes"] = _pick(rng, _SHOES["scrubs"])
    elif outfit == "gown":
        parts = ("gown", "socks")
        colours["gown"], pattern = _pick(rng, _GOWN, 0.05), ("dots", "plain", "checks")[int(rng.integers(3))]
        colours["socks"] = _pick(rng, _SOCKS)
    elif outfit == "pyjamas":
        parts = ("shirt", "loose_trousers", "socks")
        colours["shirt"] = colours["loose_trousers"] = _pick(rng, _PYJAMAS)
        pattern = ("stripes", "plain", "checks")[int(rng.integers(3))]
        colours["socks"] = _pick(rng, _SOCKS)
    else:
        top = ("jumper", "shirt")[int(rng.uniform() < 0.4)]
        parts = (top, "trousers", "shoes")
        colours[top] = _pick(rng, _JUMPERS if top == "jumper" else _SHIRTS)
        if top == "shirt":
            pattern = ("plain", "checks", "stripes")[int(rng.integers(3))]
        colours["trousers"] = _pick(rng, _TROUSERS)
        colours["shoes"] = _pick(rng, _SHOES["everyday"])
    colours["trim"] = _pick(rng, ("f2f2ee", "d8e4ea", "e8dfd2"), 0.03)
    colours["sole"] = _pick(rng, ("e9e7e2", "3a3a3a", "8b7a66"), 0.05)
    base = np.array(linear(_HAIR[hair])) * rng.normal(1, 0.08)
    hair_colour: Colour = (float(base[0]), float(base[1]), float(base[2]))
    mix = 0.35 if age > 60 else 0.8  # old brows stay darker than the hair
    brow = np.array(linear("4a3a30")) * (1 - mix) + base * mix * 0.9
    style = _style(rng, gender, age, dark)
    beard = float(rng.uniform(0.0, 0.5)) if gender == "male" else 0.0
    iris = _pick(rng, _IRIS[:2] if dark > 0.55 else _IRIS)
    return PersonLook(outfit, parts, style, colours, pattern, hair_colour,
                      (float(brow[0]), float(brow[1]), float(brow[2])), iris, skin, beard, float(age),
                      int(rng.integers(1 << 16)))  # fmt: skip


def draw_look(rng: np.random.Generator, meta: Any, wishes: Sequence[Wish] = ()) -> Look:
    """Draw the appearance of a clip's people from their roles, genders and ages.

    Args:
        rng: source of chance.
        meta: an interaction's ``meta`` (attributes ``roles``, ``genders``, ``ages``).
        wishes: what is not left to chance; the last that is for somebody counts.
    """
    roles = list(meta.roles)
    genders = list(getattr(meta, "genders", None) or ["female"] * len(roles))
    ages = list(getattr(meta, "ages", None) or [None] * len(roles))
    usual = {"staff": 38.0, "patient": 82.0}
    people = []
    for index, (role, gender, age) in enumerate(zip(roles, genders, ages, strict=True)):
        known = usual.get(role, 45.0) if age is None else float(age)
        mine = [
            wish for place, wish in enumerate(wishes) if wish.role == role or (wish.role is None and place == index)
        ]
        wish = mine[-1] if mine else Wish()
        gender = gender if gender in ("female", "male") else "female"
        drawn = draw_person_look(rng, role, gender, known, wish.outfit, wish.tone)
        people.append(replace(drawn, **wish.fixed))
    return Look(tuple(people))


def read_looks(path: str | PathLike[str]) -> tuple[Wish, ...]:
    """Read a file of looks (docs/stage.md): ``{"version": 1, "people": [{...}, ...]}``.

    Raises:
        BadFile: names the entry and its field that is wrong.
    """
    value = read_json(path)
    if not isinstance(value, Mapping):
        raise BadFile(path, "file", value, 'an object with "version" and "people"')
    if value.get("version") != LOOKS_VERSION:
        raise BadFile(path, "version", value.get("version"), f"{LOOKS_VERSION}")
    return wishes_from(value.get("people"), path, "people")


def wishes_from(value: Any, where: str | PathLike[str], at: str) -> tuple[Wish, ...]:
    """Wishes from a JSON list, an entry each; null stands for nobody's."""
    if not isinstance(value, list):
        raise BadFile(where, at, value, "a list with an object for each person")
    return tuple(_wish(item, where, f"{at}[{index}]") for index, item in enumerate(value))


def _wish(value: Any, where: str | PathLike[str], at: str) -> Wish:
    if value is None:
        return Wish()
    if not isinstance(value, Mapping):
        raise BadFile(where, at, value, "an object, or null")
    known = {item.name for item in fields(PersonLook)}
    for name, entry in value.items():
        if name in ("role", "tone"):
            continue
        if name not in known:
            raise BadFile(where, f"{at}.{name}", entry, f"one of the keys role, tone, {', '.join(sorted(known))}")
    role, tone = value.get("role"), value.get("tone")
    if role is not None and role not in taxonomy.ROLES:
        raise BadFile(where, f"{at}.role", role, f"one of {', '.join(taxonomy.ROLES)}")
    fixed = {name: _look_field(name, value[name], where, f"{at}.{name}") for name in value if name in known}
    return Wish(
        role, fixed.get("outfit"), None if tone is None else _share(tone, where, f"{at}.tone"),
        {name: entry for name, entry in fixed.items() if name != "outfit"},
    )  # fmt: skip


def _look_field(name: str, value: Any, where: str | PathLike[str], at: str) -> Any:
    """One field of a ``PersonLook``, checked."""
    from synth.body import outfits

    garments = sorted({part for parts in outfits.OUTFITS.values() for part in parts})
    choices: dict[str, tuple[Any, ...]] = {"outfit": OUTFITS, "pattern": PATTERNS, "hair": (*outfits.HAIR, None)}
    if name in choices:
        if value not in choices[name]:
            raise BadFile(where, at, value, f"one of {', '.join(str(item) for item in choices[name])}")
        return value
    if name == "parts":
        if not isinstance(value, list) or any(part not in garments for part in value):
            raise BadFile(where, at, value, f"a list of {', '.join(garments)}")
        return tuple(value)
    if name == "colours":
        if not isinstance(value, Mapping):
            raise BadFile(where, at, value, "an object of colours")
        return {str(part): _colour(colour, where, f"{at}.{part}") for part, colour in value.items()}
    if name == "beard":
        return _share(value, where, at)
    if name in ("age", "seed"):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1 << 16:
            raise BadFile(where, at, value, "a number from 0 to 65535")
        return float(value) if name == "age" else int(value)
    return _colour(value, where, at)


def _colour(value: Any, where: str | PathLike[str], at: str) -> Colour:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise BadFile(where, at, value, "three numbers from 0 to 1, linear RGB")
    red, green, blue = (_share(part, where, at) for part in value)
    return red, green, blue


def _share(value: Any, where: str | PathLike[str], at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadFile(where, at, value, "a number from 0 to 1")
    return float(value)
