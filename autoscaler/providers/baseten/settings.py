"""What a configuration says of a Baseten account, and which of three things a deployment's entry names."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from autoscaler.providers.kinds import HeaderSecret, ProviderSettings

ADDRESS: Final = "https://api.baseten.co"
INFERENCE_ADDRESS: Final = "https://model-{model_id}.api.baseten.co"
METRICS_ADDRESS: Final = "https://app.baseten.co"

_PLACE: Final = "{model_id}"

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]


class BasetenSettings(ProviderSettings):
    """``[providers.NAME]`` with ``kind = "baseten"``: one workspace."""

    kind: Literal["baseten"] = Field(default="baseten", description="Which adapter this is.")
    api_key: HeaderSecret = Field(description="API key of the workspace that may manage models.")
    inference_base_url: str | None = Field(
        default=None,
        description="Where models are woken; {model_id} in it stands for the model's id. "
        "Default: the vendor's host of each model.",
    )
    metrics_base_url: str | None = Field(
        default=None,
        description="Where the metrics export is, for sources of kind baseten. "
        "Default: the vendor's address.",
    )

    zero: Literal["sleep", "deactivate"] = Field(
        default="sleep",
        description="What zero replicas are: sleep lets a deployment go when no request comes, and requests "
        "wake it; deactivate ends it at once, and requests to it fail until replicas are needed again. "
        "Chainlets always sleep.",
    )

    @field_validator("inference_base_url", "metrics_base_url")
    @classmethod
    def _is_an_address_too(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _checked_as_base_url(value, allow_http=True)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _sends_its_key_encrypted_everywhere(self) -> Self:
        for key in ("inference_base_url", "metrics_base_url"):
            value = getattr(self, key)
            if value is not None:
                _checked_as_base_url(value, allow_http=self.allow_http, name=key)
        return self

    @property
    def address(self) -> str:
        """Base URL of the management API."""
        return self.base_url or ADDRESS

    @property
    def metrics_address(self) -> str:
        """Base URL of the metrics export."""
        return self.metrics_base_url or METRICS_ADDRESS

    def inference_address(self, model_id: str) -> str:
        """Base URL of a model's own host."""
        return (self.inference_base_url or INFERENCE_ADDRESS).replace(_PLACE, model_id)


def _checked_as_base_url(value: str, *, allow_http: bool, name: str = "base_url") -> None:
    """Judge an address as ``base_url`` is judged. Raises: ValueError that names ``name``."""
    example = value.replace(_PLACE, "abcd1234")
    if "{" in example or "}" in example:
        raise ValueError("may hold {model_id} and no other braces")
    try:
        ProviderSettings(kind="baseten", base_url=example, allow_http=allow_http)
    except ValueError as error:
        text = next(iter(error.errors()))["msg"] if hasattr(error, "errors") else str(error)
        raise ValueError(text.removeprefix("Value error, ").replace("base_url", name)) from None


_SHAPES: Final = (
    "allowed are model_id and deployment_id, model_id and environment, or chain_id, environment and chainlet"
)


class BasetenIds(BaseModel):
    """What a deployment's entry carries: one deployment, an environment of a model, or a chainlet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: Id | None = Field(default=None, description="Id of the model.")
    deployment_id: Id | None = Field(
        default=None, description="Id of one deployment of the model that is in no environment."
    )
    environment: Id | None = Field(
        default=None,
        description="Name of the model's or chain's environment, such as production: "
        "whatever is deployed there is scaled.",
    )
    chain_id: Id | None = Field(default=None, description="Id of the chain.")
    chainlet: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_ .-]*$",
        max_length=128,
        description="Name of the chainlet within the chain's environment.",
    )

    @field_validator("deployment_id")
    @classmethod
    def _is_no_reserved_word(cls, value: str | None) -> str | None:
        if value in ("production", "development"):
            raise ValueError(f'is a reserved word; allowed is an id, or environment = "{value}" instead')
        return value

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = tuple(key for key in type(self).model_fields if getattr(self, key) is not None)
        if given not in (
            ("model_id", "deployment_id"),
            ("model_id", "environment"),
            ("environment", "chain_id", "chainlet"),
        ):
            what = ", ".join(given) or "no id"
            raise ValueError(f"{what} given; {_SHAPES}")
        if self.environment == "development":
            raise ValueError("development has one replica and is not scaled; allowed is another environment")
        return self
