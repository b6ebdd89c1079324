"""From what is known of a person (age, sex, height, weight) to betas, and people drawn at random for a role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from synth.body.model import BodyModel
from synth.errors import BadOption, CareSynthError

DENSITY = 1010.0  # kg/m3 of a living body, lungs half full
YOUNG, OLD = 25.0, 90.0  # years of MakeHuman's "young" and "old" shapes
GENDERS = ("female", "male")

# Adults, by age and sex: mean and spread of height in metres and of body mass index.
# Young adults: NCD Risk Factor Collaboration, eLife 2016;5:e13410 (north-western Europe). Height falls by about
# 5 cm (men) and 6 cm (women) to the age of 80: Sorkin et al., Am. J. Epidemiol. 1999;150:969.
_HEIGHT = {"female": (1.665, 0.063), "male": (1.795, 0.070)}
_SHRINK = {"female": 0.06, "male": 0.05}
_BMI = {"staff": (25.0, 3.6), "patient": (24.8, 4.2), "person": (25.2, 4.0)}
_AGES = {"staff": (22.0, 60.0), "patient": (70.0, 95.0), "person": (25.0, 85.0)}
_FEMALE_SHARE = {"staff": 0.75, "patient": 0.65, "person": 0.5}


@dataclass(frozen=True)
class Person:
    """A body's owner. ``age`` in years, ``height`` in metres, ``weight`` in kilograms, ``betas`` [10]."""

    age: float
    gender: str
    height: float
    weight: float
    betas: NDArray[np.float32]


def measure(model: BodyModel, betas: NDArray[np.floating]) -> tuple[float, float]:
    """Height in metres (crown to sole, upright) and mass in kilograms of a shape [10]."""
    b = np.asarray(betas, dtype=np.float64)
    if "volume" in model.shape_table:
        ends = model.shape_table["ends"] @ np.concatenate([[1.0], b])
        height = float(ends.max() - ends.min())
        full = np.concatenate([[1.0], b])
        return height, float(np.einsum("ijk,i,j,k->", model.shape_table["volume"], full, full, full)) * DENSITY
    vertices = model.shaped(b).astype(np.float64)
    return float(np.ptp(vertices[np.unique(model.faces), 1])), DENSITY * float(
        np.einsum("ij,ij->", np.cross(vertices[model.faces[:, 0]], vertices[model.faces[:, 1]]),
                  vertices[model.faces[:, 2]]) / 6)  # fmt: skip


def measuring_table(
    template: NDArray[np.floating], shapedirs: NDArray[np.floating], faces: NDArray[np.integer]
) -> dict[str, NDArray[np.float64]]:
    """What ``measure`` needs to work without the mesh.

    The volume inside a closed mesh is a cubic polynomial of its vertices, hence of the betas: "volume" [11, 11, 11]
    holds its coefficients over (1, betas). "ends" [K, 11] gives the heights of the crown's and the soles' vertices.
    """
    basis = np.concatenate([template[..., None], shapedirs], -1).astype(np.float64)  # [V, 3, 11]
    a, b, c = (basis[faces[:, k]] for k in range(3))
    volume = np.zeros((11, 11, 11))
    for i in range(11):
        crossed = np.cross(a[:, :, i, None], b, axis=1)  # [F, 3, 11]
        volume[i] = np.tensordot(crossed, c, axes=([0, 1], [0, 1])) / 6
    order = np.argsort(template[:, 1])
    used = np.intersect1d(order[np.r_[:400, -100:0]], faces)
    return {"volume": volume, "ends": basis[used, 1]}


def betas_from(
    *,
    age: float = 40.0,
    gender: str = "female",
    height: float | None = None,
    weight: float | None = None,
    muscle: float | None = None,
    races: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3),
    model: BodyModel | None = None,
) -> NDArray[np.float32]:
    """Betas of an adult.

    Args:
        age: years, 18 to 105.
        gender: "female" or "male".
        height: metres, or None for the average of the age and sex.
        weight: kilograms, or None for an average build.
        muscle: 0 slack .. 1 athletic; None for what the age suggests.
        races: shares of MakeHuman's african, asian and caucasian features.
        model: the default body; loaded when not given.

    Returns:
        [10]. Heights and weights outside what the shapes can reach come out as near as they go.

    Raises:
        BadOption: a value no adult has.
        CareSynthError: ``model`` is not the default body (official SMPL files do not say what their betas mean).
    """
    model = model or _default()
    if not model.shape_table:
        raise CareSynthError(f"body {model.name}: betas cannot be derived from age and height; give betas instead")
    if gender not in GENDERS:
        raise BadOption("gender", gender, "female or male")
    _check("age", age, 18, 105, "years")
    if height is not None:
        _check("height", height, 1.2, 2.2, "metres")
    if weight is not None:
        _check("weight", weight, 30, 250, "kilograms")
    if muscle is None:
        muscle = float(np.interp(age, (25, 60, 85), (0.55, 0.48, 0.32)))
    share = np.asarray(races, dtype=float) / max(float(np.sum(races)), 1e-9)
    wanted_height = average_height(age, gender) if height is None else height

    def sized(build: float, stature: float) -> tuple[float, float]:
        return measure(model, _interpolate(model, age, gender, muscle, build, stature, share))

    tall, heavy = 0.0, 0.5
    betas = _interpolate(model, age, gender, muscle, heavy, tall, share)
    # Height depends a little on weight and weight much on height: solve them in turn, a few times.
    for _ in range(4):
        tall = _solve(lambda x, y=heavy: sized(y, x)[0], wanted_height, -1.4, 1.4)
        if weight is not None:
            heavy = _solve(lambda x, y=tall: sized(x, y)[1], weight, -0.15, 1.9)
        betas = _interpolate(model, age, gender, muscle, heavy, tall, share)
        if weight is None:
            break
    return betas


def draw_person(
    role: str, rng: np.random.Generator, model: BodyModel | None = None, gender: str | None = None
) -> Person:
    """Draw a person: staff are 22-60 years, patients mostly 70-95, a plain "person" any adult.

    Args:
        gender: "female" or "male"; None: drawn as well.

    Raises:
        BadOption: an unknown role.
    """
    if role not in _AGES:
        raise BadOption("role", role, f"one of {', '.join(_AGES)}")
    model = model or _default()
    young, old = _AGES[role]
    age = float(rng.uniform(young, old))
    if role == "patient" and rng.uniform() < 0.08:
        age = float(rng.uniform(45, 70))
    drawn = GENDERS[int(rng.uniform() >= _FEMALE_SHARE[role])]  # also where it is given: all else is drawn alike
    gender = gender or drawn
    spread = float(np.clip(rng.normal(), -2, 2))
    height = average_height(age, gender) + _HEIGHT[gender][1] * spread
    mean, deviation = _BMI[role]
    bmi = float(np.clip(rng.normal(mean, deviation), 18.0, 36.0))
    races = rng.dirichlet((0.25, 0.2, 0.9))
    slack = float(np.interp(age, (25, 60, 85), (0.55, 0.48, 0.32)))
    muscle = float(np.clip(slack + rng.normal(0, 0.1), 0.1, 0.9))
    betas = betas_from(age=age, gender=gender, height=height, weight=bmi * height**2, muscle=muscle,
                       races=cast(tuple[float, float, float], tuple(races)), model=model)  # fmt: skip
    reached_height, reached_weight = measure(model, betas)
    return Person(age, gender, reached_height, reached_weight, betas)


def average_height(age: float, gender: str) -> float:
    """Mean height in metres; adults lose it from about 45 on."""
    lost = _SHRINK[gender] * float(np.clip((age - 45) / 35, 0, 1.4)) ** 1.3
    return _HEIGHT[gender][0] - lost


def _interpolate(
    model: BodyModel, age: float, gender: str, muscle: float, weight: float, height: float, races: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Betas at MakeHuman's own parameters: multilinear between the table's knots, straight on outside them."""
    knots = model.shape_table["knots"][GENDERS.index(gender)]
    added = np.einsum("r,rab->ab", races, model.shape_table["races"][:, GENDERS.index(gender)])
    old = float(np.clip((age - YOUNG) / (OLD - YOUNG), 0, 1.1))
    knots = (1 - old) * knots[0] + old * knots[1]
    added = (1 - old) * added[0] + old * added[1]
    for value in (muscle, weight, (height + 1) / 2):
        k = 0 if value < 0.5 else 1
        t = 2 * value - k
        knots = (1 - t) * knots[k] + t * knots[k + 1]
    return cast(NDArray[np.float32], (knots + added).astype(np.float32))


def _solve(function, aim: float, low: float, high: float) -> float:  # type: ignore[no-untyped-def]
    """The argument where an increasing function reaches ``aim``, by regula falsi with the ends as limits."""
    at_low, at_high = function(low), function(high)
    if aim <= at_low:
        return low
    if aim >= at_high:
        return high
    middle = low
    for step in range(12):
        share = (aim - at_low) / (at_high - at_low)
        middle = low + (high - low) * (0.5 if step % 4 == 3 else share)
        value = function(middle)
        if abs(value - aim) < 1e-3 * abs(aim) * 0.3:
            break
        if value < aim:
            low, at_low = middle, value
        else:
            high, at_high = middle, value
    return middle


def _check(name: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise BadOption(name, value, f"{low} to {high} {unit}")


def _default() -> BodyModel:
    from synth.body import load_body

    return load_body()
