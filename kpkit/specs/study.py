"""A study: recipes trained with several seeds each, and what their differences are worth."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from kpkit.specs.base import About, Spec


class StudySpec(Spec):
    """A study document.

    Every recipe is trained once per seed. What a recipe starts from and the teachers of its pseudo labels
    are trained once, by their own documents, and shared by its seeds: intervals do not tell what those vary
    by.

    Attributes:
        recipes: names; the first is what the others are compared with.
        seeds: of every recipe, in place of its own.
        overrides: recipe tables laid over those of every recipe, such as ``{ training = { steps = [9] } }``.
    """

    kind: Literal["study"]
    about: About = About()
    recipes: Annotated[tuple[str, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2)
    overrides: dict[str, Any] = {}

    @field_validator("recipes", "seeds")
    @classmethod
    def _differ(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) != len(value):
            raise ValueError("all must differ")
        return value

    @field_validator("overrides")
    @classmethod
    def _seeds_are_elsewhere(cls, value: dict[str, Any]) -> dict[str, Any]:
        training = value.get("training")
        if isinstance(training, dict) and "seed" in training:
            raise ValueError("the study's own seeds take the place of training.seed")
        return value
