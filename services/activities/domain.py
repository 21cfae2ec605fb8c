"""Decisions of activities: values in, decision out."""


def is_effective(*, maturity: int, not_reached: bool, busy: bool) -> bool:
    """HC360's rule: grade 0, "not reached" (未联系到客户) and "busy, call again" (客户正忙) do not count."""
    return maturity > 0 and not not_reached and not busy
