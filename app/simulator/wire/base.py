"""The class of every wire model."""

from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from app.simulator.wire.dates import SEVEN_DIGITS


class Wire(BaseModel):
    """A JSON object of ServiceTitan: camelCase outside, snake_case inside, unknown fields ignored, frozen."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        frozen=True,
    )

    @classmethod
    def read(cls, body: bytes | str) -> Self:
        """The model of a JSON text; raises pydantic's ValidationError."""
        return cls.model_validate_json(body)

    def request(self) -> bytes:
        """The JSON of a request: only the fields that were set, so that a PATCH leaves the rest alone."""
        return self.model_dump_json(exclude_unset=True).encode()

    def answer(self) -> bytes:
        """The JSON of an answer: every field, nulls included, instants with seven digits."""
        return self.model_dump_json(context=SEVEN_DIGITS).encode()
