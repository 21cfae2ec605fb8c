"""What everybody changes of himself: how he is called and reached, and how the console looks to him."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from services.contracts.base import Command, Line, Message, Nothing, Password, Phone, View, command, query
from services.contracts.identity import LoginEmail, ProfileView


class ProfileChanges(Command):
    """What is given is changed, what is absent stays; null takes a title, phone or e-mail address away.

    A phone or an e-mail address, by which one may log in, takes `current`, the password.
    """

    display_name: Line | None = None
    title: Line | None = None
    phone: Phone | None = None
    email: LoginEmail | None = None
    current: Password | None = None


class UpdateProfile(ProfileChanges):
    """Changes the caller's own profile if he is still in `expected_version`."""

    expected_version: Annotated[int, Field(ge=1)]


def refuse_doubles(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("must not name a module twice")
    return names


Module = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
Modules = Annotated[tuple[Module, ...], Field(max_length=40), AfterValidator(refuse_doubles)]


class PreferencesShape(Message):
    """`modules` are those that the console shows, in this order; with none it shows all."""

    language: Literal["zh", "en"] = "zh"
    density: Literal["comfortable", "compact"] = "comfortable"
    layout: Literal["side", "top"] = "side"
    modules: Modules = ()


class PreferencesView(PreferencesShape, View):
    """`version` 0 are the defaults."""

    version: int


class PreferenceChanges(PreferencesShape, Command):
    """What is given is changed, what is absent stays."""


class UpdatePreferences(PreferenceChanges):
    """If they are still in `expected_version`, 0 as long as nothing was set."""

    expected_version: Annotated[int, Field(ge=0)]


UPDATE_PROFILE = command("identity.update_profile", UpdateProfile, ProfileView, "profile:update")
SHOW_PREFERENCES = query("identity.show_preferences", Nothing, PreferencesView, "profile:read")
UPDATE_PREFERENCES = command("identity.update_preferences", UpdatePreferences, PreferencesView, "profile:update")
