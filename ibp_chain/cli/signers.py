"""Whose key signs: a keystore file with a prompted passphrase, or a secret from the environment.

A secret never stands on the command line, where every user of the machine could read it.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from ibp_chain.errors import ConfigError
from ibp_chain.keys import KeypairSigner, signer_from_keystore, signer_from_uri

SECRET_URI, PASSPHRASE = "IBP_SECRET_URI", "IBP_PASSPHRASE"

KeystoreOption = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        help=f"polkadot-js JSON export of the signing key; its passphrase is asked for, or read "
        f"from {PASSPHRASE}. Without it the secret URI in {SECRET_URI} signs.",
    ),
]


def signer_of(keystore: Path | None) -> KeypairSigner:
    """Raises `ConfigError` for a malformed or missing key."""
    if keystore is not None:
        passphrase = os.environ.get(PASSPHRASE)
        if passphrase is None:
            passphrase = typer.prompt("Passphrase", hide_input=True, err=True)
        return signer_from_keystore(keystore, passphrase)
    uri = os.environ.get(SECRET_URI)
    if uri is None:
        raise ConfigError(f"no key to sign with: give --keystore, or set {SECRET_URI}")
    return signer_from_uri(uri)
