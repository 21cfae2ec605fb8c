"""Captchas: drawn here, kept nowhere. All that a gateway needs to check an answer is in the id, sealed with the gateways' key."""

import asyncio
import base64
import json
import secrets
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

from captcha.audio import BEEP, END_BEEP, SILENCE, WAVE_SAMPLE_RATE, AudioCaptcha
from captcha.image import ImageCaptcha
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.contracts.base import View
from services.contracts.errors import CaptchaRequired, ServiceUnavailable

LETTERS = "ACDEFHJKLMNPRTUVWXY34679"  # none that is taken for another: 0 O Q, 1 I, 2 Z, 5 S, 8 B, G 6
LENGTH = 5
FIGURES, SPOKEN = "0123456789", 7  # as many possible answers as those of the image, at least
GOOD_FOR = 300  # seconds
LINE = 16  # who would stand further behind is sent away
REMEMBERED = 10_000


class Captcha(View):
    """An image (PNG) or a sound (WAV, figures in English) as a data URI, whichever was asked for; the id goes back with the
    answer in `POST /v1/sessions`."""

    id: str
    image: str | None = None
    audio: str | None = None
    expires_at: datetime


Kind = Literal["image", "audio"]


class Voice(AudioCaptcha):
    """The library's, with the same voices over a noise that is drawn at once instead of sample by sample, and pauses of a third
    to two thirds of a second: a tenth of the time to make it, a third of the time to hear it."""

    def create_wave_body(self, chars: str) -> bytearray:
        body = bytearray(BEEP + SILENCE)
        for figure in chars:
            pause = WAVE_SAMPLE_RATE // 3 + secrets.randbelow(WAVE_SAMPLE_RATE // 3)
            body += self._under(bytearray([128]) * pause) + self._under(self._twist_pick(figure))
        return body + END_BEEP

    def _under(self, sound: bytearray) -> bytearray:
        """The sound over somebody who speaks backwards, and hiss."""
        voice = self._noise_pick()
        start = secrets.randbelow(len(voice))
        voice = (voice[start:] + voice * (len(sound) // len(voice) + 1))[: len(sound)]
        hiss = secrets.token_bytes(len(sound))
        return bytearray(
            min(255, max(0, one + other + (noise & 15) - 136)) for one, other, noise in zip(sound, voice, hiss, strict=True)
        )


class Captchas:
    """Drawing holds Python's lock for some 10 ms, speaking for 60: one at a time in a thread of its own, so that requests go on
    between."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"qudao captchas").derive(key.private_bytes_raw())
        self._seal = Fernet(base64.urlsafe_b64encode(derived))
        self._painter, self._voice = ImageCaptcha(), Voice()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="captchas")
        self._waiting = 0
        self._spent: OrderedDict[UUID, None] = OrderedDict()

    async def draw(self, kind: Kind = "image") -> Captcha:
        """Raises ServiceUnavailable when many wait already: a flood must not starve everything else."""
        if self._waiting >= LINE:
            raise ServiceUnavailable(reason="busy", retry_after=1)
        self._waiting += 1
        try:
            letters, length, make = (LETTERS, LENGTH, self._paint) if kind == "image" else (FIGURES, SPOKEN, self._speak)
            answer = "".join(secrets.choice(letters) for _ in range(length))
            made = await asyncio.get_running_loop().run_in_executor(self._thread, make, answer)
        finally:
            self._waiting -= 1
        now = int(time.time())
        sealed = self._seal.encrypt_at_time(json.dumps([str(uuid4()), answer]).encode(), now)
        expires_at = datetime.fromtimestamp(now + GOOD_FOR, UTC)
        return Captcha.model_validate({"id": sealed.decode(), kind: made, "expires_at": expires_at})

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

    def _speak(self, answer: str) -> str:
        return f"data:audio/wav;base64,{base64.b64encode(self._voice.generate(answer)).decode()}"
