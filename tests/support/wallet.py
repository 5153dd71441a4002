"""A browser wallet extension for tests: the injected interface of polkadot-js, real signatures.

The page's half is `SCRIPT`, which knows no key. It hands `SignerPayloadJSON` to this process, where
the bytes to be signed are put together again from its fields, as a wallet's own registry does, and
with none of the project's code for it. Sources: `Injected` of `@polkadot/extension-inject`, and
`GenericExtrinsicPayloadV4` of `@polkadot/types`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from playwright.sync_api import BrowserContext

from ibp_chain.accounts import ss58_decode, ss58_encode
from ibp_chain.keys import KeypairSigner

NAME = "test-wallet"
SCRIPT = (
    """
(() => {
  const accounts = {
    get: async () => JSON.parse(await window.walletAccounts()),
    subscribe: (hear) => { accounts.get().then(hear); return () => {} }
  }
  let requests = 0
  const signer = {
    signPayload: async (payload) => {
      const answer = JSON.parse(await window.walletSigns(JSON.stringify(payload)))
      if (answer.error) throw new Error(answer.error)
      return { id: ++requests, ...answer }
    },
    signRaw: async () => { throw new Error('signRaw is not asked for by this page') }
  }
  window.injectedWeb3 = { ...window.injectedWeb3, '"""
    + NAME
    + """': {
    version: '0.62.6',
    enable: async (origin) => {
      const refusal = await window.walletEnabled(origin)
      if (refusal) throw new Error(refusal)
      return { accounts, signer, metadata: {}, provider: undefined }
    }
  } }
})()
"""
)
_GENERIC_PREFIX = 42


class Mood(StrEnum):
    """What the person before the wallet's own window does, or the wallet by itself."""

    SIGNS = "signs"
    WHOLE = "signs, and hands back the whole transaction"
    REJECTS = "rejects"
    ANOTHER = "signs another tip than it was asked for"
    UNSEEN = "does not let the page see the accounts"


@dataclass
class Wallet:
    """One key. `seen` is every payload that its window has shown."""

    signer: KeypairSigner
    mood: Mood = Mood.SIGNS
    seen: list[dict[str, Any]] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def install(self, context: BrowserContext) -> None:
        """In every page of `context`, before its own scripts run."""
        context.expose_function("walletAccounts", self._accounts)
        context.expose_function("walletEnabled", self._enabled)
        context.expose_function("walletSigns", self._signs)
        context.add_init_script(SCRIPT)

    def _accounts(self) -> str:
        # wallets show addresses of the generic prefix until a page asks for another
        address = ss58_encode(self.signer.account, _GENERIC_PREFIX)
        hostile = '<img src=x onerror="document.title=1">'
        return json.dumps([{"address": address, "name": hostile, "type": "sr25519"}])

    def _enabled(self, origin: str) -> str | None:
        self.origins.append(origin)
        return "Rejected" if self.mood is Mood.UNSEEN else None

    def _signs(self, text: str) -> str:
        payload = json.loads(text)
        self.seen.append(payload)
        if self.mood is Mood.REJECTS:
            return json.dumps({"error": "Cancelled"})
        assert ss58_decode(payload["address"]) == self.signer.account
        if self.mood is Mood.ANOTHER:
            payload["tip"] = f"0x{1:032x}"
        signature = b"\1" + self.signer.sign(message_of(payload))
        answer = {"signature": "0x" + signature.hex()}
        if self.mood is Mood.WHOLE:
            whole = transaction_of(payload, self.signer.account, signature)
            answer["signedTransaction"] = "0x" + whole.hex()
        return json.dumps(answer)


def message_of(payload: Mapping[str, Any]) -> bytes:
    """What is signed: call, extensions, what is signed only; hashed when longer than 256 bytes."""
    explicit, implicit = _extensions(payload)
    whole = _octets(payload["method"]) + explicit + implicit
    return blake2b(whole, digest_size=32).digest() if len(whole) > 256 else whole


def transaction_of(payload: Mapping[str, Any], account: bytes, signature: bytes) -> bytes:
    explicit, _ = _extensions(payload)
    body = b"\x84\0" + account + signature + explicit + _octets(payload["method"])
    return _compact(len(body)) + body


def _extensions(payload: Mapping[str, Any]) -> tuple[bytes, bytes]:
    era, tip = _octets(payload["era"]), _compact(int(payload["tip"], 16))
    metadata_hash = payload["metadataHash"]
    known = {
        "CheckSpecVersion": (b"", _u32(payload["specVersion"])),
        "CheckTxVersion": (b"", _u32(payload["transactionVersion"])),
        "CheckGenesis": (b"", _octets(payload["genesisHash"])),
        "CheckMortality": (era, _octets(payload["blockHash"])),
        "CheckNonce": (_compact(int(payload["nonce"], 16)), b""),
        "ChargeTransactionPayment": (tip, b""),
        "CheckMetadataHash": (
            bytes((payload["mode"],)),
            b"\0" if metadata_hash is None else b"\1" + _octets(metadata_hash),
        ),
    }
    empty = {
        "AuthorizeCall", "CheckNonZeroSender", "CheckWeight", "PrevalidateAttests", "WeightReclaim",
    }  # fmt: skip
    parts = [(b"", b"") if name in empty else known[name] for name in payload["signedExtensions"]]
    return b"".join(one for one, _ in parts), b"".join(other for _, other in parts)


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _u32(text: str) -> bytes:
    return int(text, 16).to_bytes(4, "little")


def _compact(value: int) -> bytes:
    """SCALE's compact integer."""
    if value < 1 << 6:
        return bytes((value << 2,))
    if value < 1 << 14:
        return (value << 2 | 1).to_bytes(2, "little")
    if value < 1 << 30:
        return (value << 2 | 2).to_bytes(4, "little")
    data = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return bytes(((len(data) - 4) << 2 | 3,)) + data
