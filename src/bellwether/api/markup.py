"""Templates that cannot forget to escape: only what is already `Html` goes in as it is."""

import html
from collections.abc import Iterable
from functools import cache
from importlib import resources
from string import Template


class Html(str):
    """Text that is safe to send as HTML."""

    __slots__ = ()


def safe(value: object) -> Html:
    """Escape `value`, unless it is `Html`."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def fill(pattern: str, **values: object) -> Html:
    """Put `values`, escaped, where `pattern` names them: `$name`."""
    return Html(Template(pattern).substitute({k: safe(v) for k, v in values.items()}))


def page(name: str, **values: object) -> Html:
    """Fill the template file called `name`."""
    return fill(_template(name), **values)


def joined(parts: Iterable[Html], between: str = "") -> Html:
    """Put safe parts together."""
    return Html(between.join(parts))


@cache
def _template(name: str) -> str:
    return (resources.files("bellwether.api") / "templates" / name).read_text(encoding="utf-8")
