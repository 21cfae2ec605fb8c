"""The whole story on one system."""

import secrets
import time
from dataclasses import dataclass

from demo import cast as casting
from demo import later
from demo.api import Api, Person, Unusable
from demo.cases import TEMPLATES, TITLES, Cases
from demo.cast import Cast
from demo.names import Names, is_number
from demo.story import Story


@dataclass(frozen=True)
class Door:
    """How to get in: as the administrator of this login, or with the secret where the system has none yet."""

    url: str
    setup_secret: str | None = None
    login: str = "admin"
    password: str | None = None
    is_throw_away: bool = False


def play(door: Door, only: int | None = None, story: Story | None = None) -> int:
    """Prints the transcript, of one case when `only` names it; the exit code. Raises Unusable when it cannot even begin."""
    began, story, api = time.monotonic(), story or Story(), Api(door.url)
    is_fresh = bool(api.ask("GET", "/v1/setup")["needed"])
    admin = enter(story, api, door, is_fresh=is_fresh)
    cast = Cast(api, admin, "" if is_fresh else f".{secrets.token_hex(3)}")
    with story.chapter("People", "agencies, departments, users, each with a password of his own"):
        casting.gather(story, cast)
        tell(Cases(story, cast, choose_names(story, cast, is_fresh=is_fresh)), only)
    story.say(f"\n{time.monotonic() - began:.1f} s")
    return story.end()


def enter(story: Story, api: Api, door: Door, *, is_fresh: bool) -> Person:
    if not is_fresh:
        if not door.password:
            raise Unusable(f"{door.url} is set up already: an administrator's password is needed")
        story.say("\nSet-up · the system is in use")
        return casting.log_in(story, api, door.login, door.password)
    if not door.setup_secret:
        raise Unusable(f"{door.url} has no administrator yet: the set-up secret is needed")
    story.say("\nSet-up · the system gets its first administrator")
    password = door.password or casting.new_password()
    admin = casting.set_up(story, api, door.setup_secret, door.login, password)
    if not door.password and not door.is_throw_away:
        story.remark(f"the password of {door.login} is: {password}")
    return admin


def choose_names(story: Story, cast: Cast, *, is_fresh: bool) -> Names:
    """As the cases have them, or, as names collide system-wide, others that are free here."""
    names = Names(own=not is_fresh)

    def is_free(word: str) -> bool:
        found = cast.headquarters.check(**{"phone" if is_number(word) else "name": word})
        return all(count["hits"] == 0 for count in found["fields"].values() if count)

    names.draw(TEMPLATES, is_free)
    if names.is_own:
        story.remark(f"this run has names of its own: {names('{五环}')} for 五环, {names('{瑞丽}')} for 瑞丽, and so on")
    return names


def tell(cases: Cases, only: int | None) -> None:
    for number in [only] if only else sorted(TITLES):
        with cases.story.case(number, TITLES[number]):
            cases.all[number]()
    if only:
        return
    for name, title, part in (
        ("Then", "a web-registered member and its 24 hours", later.web_member),
        ("Then", "one customer from hand to hand", later.hand_to_hand),
        ("Then", "the day's figures and the rules behind them", later.figures),
    ):
        with cases.story.chapter(name, title):
            part(cases)
