"""Captchas: drawn here, kept nowhere. All that a gateway needs to check an answer is in the id, sealed with the gateways' key."""

import asyncio
import base64
import json
import secrets
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

from captcha.image import ImageCaptcha
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.contracts.base import View
from services.contracts.errors import CaptchaRequired, ServiceUnavailable

LETTERS = "ACDEFHJKLMNPRTUVWXY34679"  # none that is taken for another: 0 O Q, 1 I, 2 Z, 5 S, 8 B, G 6
LENGTH = 5
GOOD_FOR = 300  # seconds
LINE = 16  # who would stand further behind is sent away
REMEMBERED = 10_000


class Captcha(View):
    """The image is a PNG as a data URI; the id goes back with the answer in `POST /v1/sessions`."""

    id: str
    image: str
    expires_at: datetime


class Captchas:
    """Drawing holds Python's lock for some 10 ms: one at a time in a thread of its own, so that requests go on between."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"qudao captchas").derive(key.private_bytes_raw())
        self._seal = Fernet(base64.urlsafe_b64encode(derived))
        self._painter = ImageCaptcha()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="captchas")
        self._waiting = 0
        self._spent: OrderedDict[UUID, None] = OrderedDict()

    async def draw(self) -> Captcha:
        """Raises ServiceUnavailable when many wait already: a flood must not starve everything else."""
        if self._waiting >= LINE:
            raise ServiceUnavailable(reason="busy", retry_after=1)
        self._waiting += 1
        try:
            answer = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            image = await asyncio.get_running_loop().run_in_executor(self._thread, self._paint, answer)
        finally:
            self._waiting -= 1
        now = int(time.time())
        sealed = self._seal.encrypt_at_time(json.dumps([str(uuid4()), answer]).encode(), now)
        return Captcha(id=sealed.decode(), image=image, expires_at=datetime.fromtimestamp(now + GOOD_FOR, UTC))

    def check(self, sealed: str, answer: str) -> UUID:
        """The solved captcha's own id. Raises CaptchaRequired with the reason; a wrong answer spends it, here at least."""
        try:
            captcha_id, expected = json.loads(self._seal.decrypt(sealed.encode(), ttl=GOOD_FOR))
        except (InvalidToken, UnicodeEncodeError):
            raise CaptchaRequired(reason="the captcha has expired or is not one of ours") from None
        known = UUID(captcha_id)
        is_right = secrets.compare_digest(answer.strip().upper().encode(errors="replace"), expected.encode())
        if not is_right or known in self._spent:
            self._spend(known)
            raise CaptchaRequired(reason="a wrong answer was given: draw another one")
        return known

    def _spend(self, captcha_id: UUID) -> None:
        """Else an answer could be found by trying all of them within five minutes."""
        self._spent[captcha_id] = None
        if len(self._spent) > REMEMBERED:
            self._spent.popitem(last=False)

    def _paint(self, answer: str) -> str:
        png = self._painter.generate(answer).getvalue()
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"
