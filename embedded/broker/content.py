"""A message while it arrives: method, then header, then as many body frames as it takes."""

from typing import Final

from embedded.broker.frames import Publish
from embedded.broker.messages import Message, compose, lifetime_of, read_content_header
from embedded.broker.refusals import precondition_failed, unexpected_frame

MESSAGE_MAX: Final = 16 * 1024 * 1024


class Content:
    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        self._header: bytes | None = None
        self._lifetime: float | None = None
        self._missing = 0
        self._body: list[bytes] = []

    def read_header(self, payload: bytes, user: str) -> Message | None:
        """The message, if it has no body. Raises Refusal for what must not be published."""
        if self._header is not None:
            raise unexpected_frame("expected a body, got a second header instead")
        header = read_content_header(payload)
        if header.body_size > MESSAGE_MAX:
            raise precondition_failed(f"message size {header.body_size} is larger than configured max size {MESSAGE_MAX}")
        if header.properties.user_id and header.properties.user_id != user:
            raise precondition_failed(f"user_id property set to '{header.properties.user_id}' but it was '{user}'")
        self._lifetime = lifetime_of(header.properties)
        self._header, self._missing = payload, header.body_size
        return self._complete()

    def read_body(self, payload: bytes) -> Message | None:
        """The message, once it is whole."""
        if self._header is None:
            raise unexpected_frame("expected a header, got a body instead")
        if len(payload) > self._missing:
            raise unexpected_frame("the body is longer than its header says")
        self._body.append(payload)
        self._missing -= len(payload)
        return self._complete()

    def _complete(self) -> Message | None:
        if self._missing or self._header is None:
            return None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return compose(self.publish.exchange, self.publish.routing_key, self._header, body, self._lifetime)
