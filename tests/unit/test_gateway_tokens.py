"""Secrets that are derived: the same for the same command, and for nothing else."""

import base64
import re
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.sessions import TOKEN
from gateway.tokens import Derived

KEY = Ed25519PrivateKey.generate()
LI, HAN = UUID(int=1), UUID(int=2)


def test_a_repeated_command_gets_the_same_secret_and_no_other_does() -> None:
    ours = Derived(KEY)
    for derive in (ours.session_token, ours.api_token, ours.shared_secret):
        assert derive(LI, "key") == derive(LI, "key")
        assert len({derive(LI, "key"), derive(LI, "other"), derive(HAN, "key")}) == 3
    assert Derived(Ed25519PrivateKey.generate()).api_token(LI, "key") != ours.api_token(LI, "key")


def test_secrets_have_the_form_in_which_they_are_taken() -> None:
    ours = Derived(KEY)
    assert re.fullmatch(r"qdt_[A-Za-z0-9_-]{43}", ours.api_token(LI, "key"))
    assert TOKEN.fullmatch(ours.api_token(LI, "key"))
    assert TOKEN.fullmatch(ours.session_token(LI, "key"))
    assert ours.api_token(LI, "key") != f"qdt_{ours.session_token(LI, 'key')}"
    assert len(base64.b32decode(ours.shared_secret(LI, "key"))) == 20
    codes = ours.recovery_codes(LI, "key", 10)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}", code) for code in codes)
