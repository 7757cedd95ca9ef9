"""The server's own templates."""

from bellwether.reports.markup import Html, template


def page(name: str, **values: object) -> Html:
    """Fill the template file called `name`."""
    return template("bellwether.api", name, **values)
