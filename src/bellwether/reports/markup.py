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


def template(package: str, name: str, **values: object) -> Html:
    """Fill the template file called `name` of `package`."""
    return fill(text_of(package, f"templates/{name}"), **values)


def joined(parts: Iterable[Html], between: str = "") -> Html:
    """Put safe parts together."""
    return Html(between.join(parts))


@cache
def text_of(package: str, path: str) -> str:
    """Return the text of a file that `package` carries."""
    return resources.files(package).joinpath(path).read_text(encoding="utf-8")
