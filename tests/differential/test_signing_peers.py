"""What we export, what wallets do with it, and what comes back: `@polkadot/*` as the other side."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from ibp_chain.accounts import multisig_account, ss58_encode, verify_signature
from ibp_chain.keys import signer_from_keystore, signer_from_uri
from ibp_chain.scale.primitives import decode_compact, encode_compact
from ibp_chain.signing import extension_bytes, sign_extrinsic
from ibp_chain.types import AccountId
from multisig.payload import Asked, accept_signature, accept_signed
from multisig.qr import Code, code
from multisig.signer_payload import SignerPayload, make_payload
from multisig.uos import FOUNTAIN_BYTES, fountain_frames, static_frames, uos_payload
from tests.support import payouts, recording
from tests.support.asked import approval, asked, checked, context, curators, payload
from tests.support.peers import octets, peers

PREFIX = payouts.PASEO.ss58_prefix
CASES = [
    (curator, {"nonce": nonce, "tip": tip, "period": period})
    for curator, nonce, tip, period in (
        (0, 0, 0, 64),
        (1, 7, 3, 4_096),
        (2, 2**32 - 1, 2**128 - 1, 2_048),
        (3, 63, 64, 4),
        (4, 16_384, 10**10, 4_096),
    )
]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peers") / "metadata.scale"
    path.write_bytes(recording.source().metadata_v14(recording.SPEC_VERSION))
    return path


@pytest.mark.parametrize(("curator", "changes"), CASES)
def test_our_payload_is_the_one_that_polkadot_js_makes(
    metadata: Path, curator: int, changes: dict[str, Any]
) -> None:
    ours, used = payload(curator, **changes), context(**changes)
    theirs = peers().ask(
        "payload",
        metadata=metadata,
        prefix=PREFIX,
        address=ss58_encode(curators()[curator].account, PREFIX),
        blockHash=used.birth.hash,
        blockNumber=used.birth.number,
        era={"period": used.period, "current": used.birth.number},
        genesisHash=used.genesis_hash,
        method=ours.method,
        nonce=used.nonce,
        tip=str(used.tip),
        mode=0,
        runtimeVersion={
            "specVersion": used.spec_version,
            "transactionVersion": used.transaction_version,
        },
        signedExtensions=[extension.name for extension in used.codec.extensions],
        version=4,
        withSignedTransaction=True,
    )
    assert json.loads(ours.encoded) == theirs
    assert [*json.loads(ours.encoded)] == sorted(theirs)


@pytest.mark.parametrize(("curator", "changes"), CASES)
def test_a_wallet_signs_the_same_bytes_and_makes_the_same_transaction(
    metadata: Path, curator: int, changes: dict[str, Any]
) -> None:
    found = asked(curator, **changes)
    theirs = _signed(metadata, found.payload, curator)
    assert octets(theirs["signed"]) == found.call + b"".join(extension_bytes(found.context))
    ours = accept_signature(found, octets(theirs["signature"]))
    assert ours == octets(theirs["extrinsic"])
    assert accept_signed(found, octets(theirs["extrinsic"]), recording.runtime()) == ours
    own = sign_extrinsic(found.call, curators()[curator], found.context)
    at = _before_signature(own)
    # a schnorrkel signature is another one each time; all other bytes are the same
    assert (own[:at], own[at + 64 :]) == (ours[:at], ours[at + 64 :])


def test_a_short_call_is_signed_unhashed_by_both(metadata: Path) -> None:
    call = recording.runtime().encode_call("System", "remark", {"remark": b"short"})
    short = payload(call=call)
    theirs = _signed(metadata, short, 0)
    raw = sign_extrinsic(call, curators()[0], context())
    at = _before_signature(raw)
    other = octets(theirs["extrinsic"])
    assert (raw[:at], raw[at + 64 :]) == (other[:at], other[at + 64 :])
    signed = call + b"".join(extension_bytes(context()))
    assert len(signed) <= 256
    assert short.signing_bytes(recording.peer()) == signed == octets(theirs["signed"])


def test_a_curator_with_an_ed25519_key_signs_as_ledger_devices_do(metadata: Path) -> None:
    seed = b"\x07" * 32
    who = AccountId(bytes(SigningKey(seed).verify_key))
    multisig = payouts.bundle().multisig
    others = tuple(key.account for key in curators()[1:])
    addresses = tuple(ss58_encode(account, PREFIX) for account in sorted((who, *others)))
    account = ss58_encode(multisig_account((who, *others), multisig.threshold), PREFIX)
    office = {"signatories": addresses, "account": account}
    bundle = payouts.bundle().model_copy(update={"multisig": multisig.model_copy(update=office)})
    of = make_payload(approval(who, bundle), who, context(), payouts.PASEO)
    theirs = peers().ask(
        "sign",
        metadata=metadata,
        prefix=PREFIX,
        payload=json.loads(of.encoded),
        uri="0x" + seed.hex(),
        kind="ed25519",
    )
    found = checked(of, bundle)
    assert octets(theirs["signature"])[0] == 0
    assert accept_signature(found, octets(theirs["signature"])) == octets(theirs["extrinsic"])
    assert accept_signature(found, octets(theirs["signature"])[1:]) == octets(theirs["extrinsic"])
    assert accept_signed(found, octets(theirs["extrinsic"]), recording.runtime())


# --- Polkadot Vault ---------------------------------------------------------------------


@pytest.mark.parametrize(("curator", "changes"), CASES[:2])
def test_react_qr_shows_vault_the_same_frames(curator: int, changes: dict[str, Any]) -> None:
    found = asked(curator, **changes)
    theirs = peers().ask(
        "uos",
        address=ss58_encode(found.curator, PREFIX),
        command=2,
        payload=_whole(found),
        genesis=found.context.genesis_hash,
    )
    assert octets(theirs["whole"]) == uos_payload(found)
    assert tuple(map(octets, theirs["frames"])) == static_frames(uos_payload(found))


def test_an_independent_reader_finds_every_field_in_the_payload(metadata: Path) -> None:
    found = asked()
    read = _read(metadata, found, uos_payload(found))
    assert octets(read["prelude"]) == b"\x53\x01\x02"
    assert octets(read["account"]) == found.curator
    assert octets(read["genesis"]) == found.context.genesis_hash
    assert octets(read["method"]) == found.call
    assert read["called"] == "multisig.asMulti"
    fields = read["read"]
    ours = json.loads(found.payload.encoded)
    assert {name: fields[name] for name in ("era", "nonce", "tip", "blockHash", "genesisHash")} == {
        name: ours[name] for name in ("era", "nonce", "tip", "blockHash", "genesisHash")
    }
    assert fields["specVersion"] == ours["specVersion"]
    assert fields["transactionVersion"] == ours["transactionVersion"]


def test_static_frames_are_read_from_codes_and_joined(metadata: Path, tmp_path: Path) -> None:
    found = asked()
    shown = [code(frame) for frame in static_frames(uos_payload(found), 300)]
    assert len(shown) > 2
    seen = []
    for number, one in enumerate(shown):
        path = tmp_path / f"{number}.png"
        path.write_bytes(one.png(scale=4))
        seen.append(octets(peers().ask("read_png", path=path)))
    assert seen == [one.frame for one in shown]
    whole = b"".join(frame[5:] for frame in sorted(seen, key=lambda frame: frame[3:5]))
    assert octets(_read(metadata, found, whole)["method"]) == found.call


def test_a_terminal_shows_the_same_code() -> None:
    shown = code(static_frames(uos_payload(asked()), 200)[0])
    lines = shown.terminal(coloured=False).splitlines()
    halves = {" ": "11", "▀": "01", "▄": "10", "█": "00"}
    rows = ["".join(halves[cell][half] for cell in line) for line in lines for half in (0, 1)]
    side = shown.modules
    inner = [row[4 : 4 + side] for row in rows[4 : 4 + side]]
    assert octets(peers().ask("read_modules", rows=inner)) == shown.frame


def test_an_svg_shows_the_same_code() -> None:
    shown = code(static_frames(uos_payload(asked()), 200)[0])
    assert octets(peers().ask("read_modules", rows=_drawn(shown))) == shown.frame


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_fountain_frames_are_put_together_whichever_is_lost(lost: int) -> None:
    whole = uos_payload(asked()) * 5
    frames = fountain_frames(whole)
    assert len(frames) == 8
    seen = [code(frame) for at, frame in enumerate(frames) if at != lost]
    read = [octets(peers().ask("read_modules", rows=_drawn(one))) for one in reversed(seen)]
    assert octets(peers().ask("read_fountain", frames=read, unit=FOUNTAIN_BYTES)) == whole
    assert peers().ask("read_fountain", frames=read[:2], unit=FOUNTAIN_BYTES) is None


# --- Keystores --------------------------------------------------------------------------


def test_a_keystore_of_polkadot_js_opens_here(tmp_path: Path) -> None:
    theirs = peers().ask("keystore", uri="//Alice", passphrase="correct horse", name="alice")
    path = tmp_path / "alice.json"
    path.write_text(json.dumps(theirs))
    assert signer_from_keystore(path, "correct horse").account == signer_from_uri("//Alice").account


@pytest.mark.parametrize("passphrase", ["correct horse", "ﬁ ñ 密码 🐎", " "])
def test_a_keystore_of_ours_opens_in_polkadot_js(passphrase: str) -> None:
    signer = signer_from_uri("//IBP//Curator//0")
    ours = signer.keystore(
        passphrase, name="a curator", ss58_prefix=PREFIX, salt=b"s" * 32, nonce=b"n" * 24
    )
    opened = peers().ask("open_keystore", json=ours, passphrase=passphrase, message=b"message")
    assert octets(opened["account"]) == signer.account
    assert opened["name"] == "a curator"
    assert verify_signature(signer.account, octets(opened["signature"]), b"message")


# --- Parts ------------------------------------------------------------------------------


def _signed(metadata: Path, of: SignerPayload, curator: int) -> Any:
    keys = {signer_from_uri(f"//IBP//Curator//{at}").account: at for at in range(5)}
    uri = f"//IBP//Curator//{keys[curators()[curator].account]}"
    return peers().ask(
        "sign", metadata=metadata, prefix=PREFIX, payload=json.loads(of.encoded), uri=uri
    )


def _whole(found: Asked) -> bytes:
    extensions = b"".join(extension_bytes(found.context))
    return encode_compact(len(found.call)) + found.call + extensions


def _read(metadata: Path, found: Asked, whole: bytes) -> Any:
    names = list(found.payload.signed_extensions)
    return peers().ask("read_uos", metadata=metadata, prefix=PREFIX, data=whole, extensions=names)


def _before_signature(raw: bytes) -> int:
    """Where the 64 bytes begin: behind length, version, kind of address, account and scheme."""
    _, at = decode_compact(raw)
    return at + 1 + 1 + 32 + 1


def _drawn(shown: Code) -> list[str]:
    """The modules that an SVG draws: rows of 0 and 1, without the border."""
    side = shown.modules
    rows = [["0"] * side for _ in range(side)]
    (drawing,) = re.findall(r'class="qrline"[^>]* d="([^"]*)"', shown.svg().decode())
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]*)", drawing):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        match command:
            case "M":
                x, y = values
            case "m":
                x, y = x + values[0], y + values[1]
            case "h":
                for at in range(int(values[0])):
                    rows[int(y) - 4][int(x) - 4 + at] = "1"
                x += values[0]
    return ["".join(row) for row in rows]
