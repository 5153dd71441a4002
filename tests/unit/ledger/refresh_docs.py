"""`python -m tests.unit.ledger.refresh_docs`: after a change of ibp.toml or of the state's layout.

The examples of docs/remarks.md and docs/state.md carry the hash of the rules, signatures over it,
and the state that they add up to. This works them out anew; every other word stays as it is.
"""

import re

from ibp_chain.blocks import blake2_256
from ibp_chain.remark_bodies import Observe, Program, Report
from ibp_chain.remarks import encode, parse, signing_digest
from ibp_chain.types import Hash
from ledger.program.rules import load_rules
from tests.support.programme import PASEO, signed
from tests.unit.ledger.doc_examples import DOCS, examples, fenced, play, text

PREFIX = PASEO.ss58_prefix


def refresh() -> None:
    """Rewrite the three pages. Running it again changes nothing."""
    rules = load_rules().hash
    _replace("rules.md", r"^`0x[0-9a-f]{64}`$", f"`0x{rules.hex()}`")
    before, after = _remarks(rules)
    text.cache_clear()
    examples.cache_clear()
    _state(before, after)


def _remarks(rules: Hash) -> tuple[Hash, Hash]:
    """The founding remark's hash, before and after."""
    page, digests = text("remarks.md"), dict[Hash, Hash]()
    old_genesis = new_genesis = Hash(b"")
    for example in examples():
        if example.code is not None:
            continue
        body = parse(example.raw, PREFIX)
        match body:
            case Program():
                raw = encode(body.model_copy(update={"rules": rules}), PREFIX)
                old_genesis, new_genesis = blake2_256(example.raw), blake2_256(raw)
            case Observe():
                previous = digests.get(body.previous, body.previous)
                changes = {"program": new_genesis, "previous": previous}
                new = signed(body.model_copy(update=changes), example.who)
                digests[signing_digest(body, PREFIX)] = signing_digest(new, PREFIX)
                raw = encode(new, PREFIX)
            case Report():
                changes = {"program": new_genesis}
                raw = encode(signed(body.model_copy(update=changes), example.who), PREFIX)
            case _:
                continue
        page = page.replace(example.raw.decode(), raw.decode())
    (DOCS / "remarks.md").write_text(page)
    return old_genesis, new_genesis


def _state(old_genesis: Hash, new_genesis: Hash) -> None:
    stage, _ = play()
    entries = stage.state.entries()
    page = text("state.md")
    ((_, shown),), ((_, root),) = fenced("state.md", "entries"), fenced("state.md", "root")
    lines = "\n".join(f"0x{key.hex()} 0x{value.hex()}" for key, value in entries)
    page = page.replace(shown, lines).replace(root, "0x" + stage.state.root().hex())
    page = page.replace(old_genesis.hex(), new_genesis.hex())
    page = re.sub(r"^\d+ entries\.", f"{len(entries)} entries.", page, flags=re.MULTILINE)
    (DOCS / "state.md").write_text(page)


def _replace(name: str, pattern: str, new: str) -> None:
    page, count = re.subn(pattern, new, text(name), flags=re.MULTILINE)
    assert count == 1, f"{name} should show one hash on a line of its own"
    (DOCS / name).write_text(page)


if __name__ == "__main__":
    refresh()
