"""What tests of log-ins need: captchas solved, codes of second factors."""

import base64
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from embedded.stack import Stack
from gateway.captchas import Captchas
from services.plumbing.passport import Signer


def solve(stack: Stack, drawn: dict[str, Any]) -> dict[str, Any]:
    """Reads what stands in the image, as only somebody with the gateways' key can without looking."""
    _, answer = json.loads(gateways_seal(stack).decrypt(drawn["id"]))
    return {"id": drawn["id"], "answer": answer}


def solved(seal: Fernet) -> dict[str, Any]:
    """Without one having been drawn: for many of them."""
    answer = "ACDEF"
    return {"id": seal.encrypt(json.dumps([str(uuid4()), answer]).encode()).decode(), "answer": answer}


def gateways_seal(stack: Stack) -> Fernet:
    pem = (stack.secrets / "signing" / "gateway.pem").read_text()
    return Captchas(Signer("gateway", pem).key)._seal


def code_of(secret: str, at: datetime, step: int = 0) -> str:
    """What an authenticator shows, so many steps later or earlier."""
    counter = int(at.timestamp()) // 30 + step
    return HOTP(base64.b32decode(secret), 6, SHA1()).generate(counter).decode()
