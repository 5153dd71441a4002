"""What a curator is asked to sign, and what became of a signature that was sent."""

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from ibp_chain.web.models.base import Model


class ComparedLine(Model):
    """One field that the device decodes by itself."""

    field: str
    said: str = Field(description="By this server.")
    device: str = Field(description="Where the device shows it.")


class VaultShown(Model):
    """The payload for Polkadot Vault, as SVG pictures."""

    moving: str = Field(description="All static frames, one after the other.")
    frames: tuple[str, ...]


class AskedShown(Model):
    """One extrinsic to be signed, made now: it is out of date once the operation has changed."""

    payload: dict[str, Any] = Field(description="SignerPayloadJSON, as polkadot-js has it.")
    compare: tuple[ComparedLine, ...]
    approved: tuple[str, ...] = Field(description="Who has approved, by the node's best block.")
    threshold: int
    notes: tuple[str, ...] = Field(description="What the checks have not established.")
    vault: VaultShown | None


class SignedAsked(Model):
    """A payload as it was handed out, and what a wallet or device made of it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    bundle: str = Field(pattern=r"^0x[0-9a-f]{64}$", description="Call hash.")
    payload: dict[str, Any]
    signature: str | None = Field(None, description="Hex, with its scheme in front or without.")
    signed_transaction: str | None = Field(None, description="Hex, where the wallet made a whole.")


class SubmissionState(StrEnum):
    WAITING = "waiting"
    """The node's pool has it."""
    APPROVED = "approved"
    EXECUTED = "executed"
    FAILED_INSIDE = "failed inside"
    """Executed, and nothing was paid."""
    FAILED = "failed"
    """The approval itself failed, or its era ended without it."""
    UNKNOWN = "unknown"
    """The node stopped answering: it may still be included."""


class SubmissionShown(Model):
    """One signature that was sent: asked for again until it no longer waits."""

    id: str
    bundle: str
    address: str
    extrinsic: str = Field(description="Hash of the signed extrinsic.")
    state: SubmissionState
    message: str
    block: int | None
