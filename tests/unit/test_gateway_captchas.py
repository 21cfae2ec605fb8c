"""Captchas as the gateway draws and checks them."""

import asyncio
import base64
import json
import time
import wave
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from gateway import captchas
from gateway.captchas import Captcha, Captchas
from services.contracts.errors import CaptchaRequired, ServiceUnavailable

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def ours() -> Captchas:
    return Captchas(KEY)


def draw(from_whom: Captchas) -> tuple[Captcha, str]:
    captcha = asyncio.run(from_whom.draw())
    answer: str = json.loads(from_whom._seal.decrypt(captcha.id))[1]
    return captcha, answer


def test_the_image_is_a_picture_and_the_id_does_not_show_the_answer(ours: Captchas) -> None:
    captcha, answer = draw(ours)
    assert captcha.image
    head, content = captcha.image.split(",")
    assert head == "data:image/png;base64"
    assert Image.open(BytesIO(base64.b64decode(content))).size == (160, 60)
    assert answer.encode() not in base64.urlsafe_b64decode(captcha.id)
    assert not set(answer) & set("0O1I2Z5S8B")


def test_who_cannot_see_hears_seven_figures(ours: Captchas) -> None:
    captcha = asyncio.run(ours.draw("audio"))
    answer: str = json.loads(ours._seal.decrypt(captcha.id))[1]
    assert captcha.image is None
    assert captcha.audio
    head, content = captcha.audio.split(",")
    assert head == "data:audio/wav;base64"
    with wave.open(BytesIO(base64.b64decode(content))) as sound:
        assert 3 < sound.getnframes() / sound.getframerate() < 12
    assert len(answer) == 7
    assert answer.isdigit()
    assert len("0123456789") ** 7 >= len(captchas.LETTERS) ** captchas.LENGTH
    assert ours.check(captcha.id, answer)


def test_two_that_speak_the_same_figures_differ(ours: Captchas) -> None:
    assert ours._speak("1234567") != ours._speak("1234567")


def test_any_gateway_with_the_same_key_takes_the_answer_in_any_capitals(ours: Captchas) -> None:
    captcha, answer = draw(ours)
    assert Captchas(KEY).check(captcha.id, f" {answer.lower()} ") == ours.check(captcha.id, answer)


def test_a_wrong_answer_is_refused_and_spends_the_captcha(ours: Captchas) -> None:
    captcha, answer = draw(ours)
    for given in ("?????", answer):
        with pytest.raises(CaptchaRequired):
            ours.check(captcha.id, given)


def test_an_expired_captcha_and_one_of_another_key_are_refused(ours: Captchas) -> None:
    old = ours._seal.encrypt_at_time(
        json.dumps(["00000000-0000-0000-0000-000000000001", "ACDEF"]).encode(), int(time.time()) - 301
    )
    foreign, answer = draw(Captchas(Ed25519PrivateKey.generate()))
    for sealed, given in ((old.decode(), "ACDEF"), (foreign.id, answer), ("nonsense", "ACDEF")):
        with pytest.raises(CaptchaRequired):
            ours.check(sealed, given)


def test_who_would_wait_long_for_a_captcha_is_sent_away_at_once(ours: Captchas) -> None:
    async def flood() -> list[object]:
        return await asyncio.gather(*(ours.draw() for _ in range(captchas.LINE * 3)), return_exceptions=True)

    answers = asyncio.run(flood())
    assert sum(isinstance(answer, Captcha) for answer in answers) == captchas.LINE
    assert sum(isinstance(answer, ServiceUnavailable) for answer in answers) == captchas.LINE * 2
    assert asyncio.run(ours.draw()).id


def test_other_requests_go_on_while_captchas_are_drawn(ours: Captchas) -> None:
    async def longest_wait() -> float:
        drawing = asyncio.gather(*(ours.draw() for _ in range(captchas.LINE)))
        longest = 0.0
        while not drawing.done():
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)
        await drawing
        return longest

    began = time.perf_counter()
    longest = asyncio.run(longest_wait())
    assert longest < (time.perf_counter() - began) / 2
