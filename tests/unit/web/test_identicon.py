"""Our identicons against those of polkadot-js: recorded from `@polkadot/ui-shared` 3.16.7."""

import json
from pathlib import Path

import pytest

from ibp_chain.types import AccountId
from ibp_chain.web.identicon import colours, discs, svg

_PEER = json.loads((Path(__file__).parent / "identicons.json").read_text())
_ACCOUNTS = sorted(_PEER["colours"])


@pytest.mark.parametrize("account", _ACCOUNTS)
def test_discs_have_the_colours_that_polkadot_js_gives_them(account: str) -> None:
    assert list(colours(AccountId(bytes.fromhex(account)))) == _PEER["colours"][account]


def test_discs_are_where_polkadot_js_puts_them() -> None:
    found = [[round(disc.x, 3), round(disc.y, 3)] for disc in discs(AccountId(bytes(32)))]
    assert found == _PEER["places"]


def test_a_picture_has_no_script_and_no_style() -> None:
    drawn = svg(AccountId(bytes(range(32))))
    assert drawn.count("<circle") == 20
    assert "script" not in drawn
    assert "style" not in drawn
