"""What the broker refuses, with RabbitMQ's reply codes."""


class Refusal(Exception):
    """The peer asked for something it cannot have; `code` and `text` go to it as they are."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class ChannelRefusal(Refusal):
    """Closes the channel; the connection goes on."""


class ConnectionRefusal(Refusal):
    """Closes the connection."""


def not_found(kind: str, name: str) -> ChannelRefusal:
    return ChannelRefusal(404, f"NOT_FOUND - no {kind} '{name}' in vhost '/'")


def access_refused(text: str) -> ChannelRefusal:
    return ChannelRefusal(403, f"ACCESS_REFUSED - {text}")


def resource_locked(queue: str) -> ChannelRefusal:
    return ChannelRefusal(405, f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'")


def precondition_failed(text: str) -> ChannelRefusal:
    return ChannelRefusal(406, f"PRECONDITION_FAILED - {text}")


def frame_error(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(501, f"FRAME_ERROR - {text}")


def syntax_error(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(502, f"SYNTAX_ERROR - {text}")


def command_invalid(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(503, f"COMMAND_INVALID - {text}")


def channel_error(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(504, f"CHANNEL_ERROR - {text}")


def unexpected_frame(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(505, f"UNEXPECTED_FRAME - {text}")


def not_allowed(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(530, f"NOT_ALLOWED - {text}")


def not_implemented(text: str) -> ConnectionRefusal:
    return ConnectionRefusal(540, f"NOT_IMPLEMENTED - {text}")
