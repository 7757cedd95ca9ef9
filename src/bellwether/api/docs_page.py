"""The interface for people: one page made from the OpenAPI document, with nothing from outside."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from bellwether.api.markup import page
from bellwether.api.problems import KINDS
from bellwether.reports.markup import Html, fill, joined

Node = Mapping[str, Any]

_LIMITS = {
    "pattern": "pattern {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {:,} characters",
    "maxItems": "at most {:,} items",
}
_TYPES = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
_FORMATS = {"date": "date", "date-time": "instant"}


def render(document: Node, base_url: str) -> Html:
    """Render the OpenAPI `document`; `base_url` is where the reader reaches this server."""
    operations = [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    schemas: Node = document["components"]["schemas"]
    return page(
        "docs.html",
        title=document["info"]["title"],
        version=document["info"]["version"],
        contents=_contents(operations, schemas),
        operations=joined(_operation(*triple, base_url=base_url) for triple in operations),
        schemas=joined(_schema(name, schema) for name, schema in schemas.items()),
        problems=joined(
            fill(
                '<tr id="problem-$name"><td>$status</td><td>$title<br><code>$name</code></td>'
                "<td>$remedy</td></tr>",
                name=kind.name,
                status=kind.status,
                title=kind.title,
                remedy=kind.remedy,
            )
            for kind in KINDS
        ),
    )


def _contents(operations: Sequence[tuple[str, str, Node]], schemas: Node) -> Html:
    tags = dict.fromkeys(operation["tags"][0] for _, _, operation in operations)
    groups = [
        fill("<h2>$tag</h2><ul>$items</ul>", tag=tag, items=joined(_links(operations, tag)))
        for tag in tags
    ]
    bodies = joined(
        fill('<li><a href="#schema-$name">$name</a></li>', name=name) for name in schemas
    )
    return joined([*groups, fill("<h2>Bodies</h2><ul>$bodies</ul>", bodies=bodies)])


def _links(operations: Sequence[tuple[str, str, Node]], tag: str) -> list[Html]:
    return [
        fill(
            '<li><a href="#$anchor"><span class="method $method">$shown</span>$path</a></li>',
            anchor=operation["operationId"],
            method=method,
            shown=method.upper(),
            path=path,
        )
        for path, method, operation in operations
        if operation["tags"][0] == tag
    ]


def _operation(path: str, method: str, operation: Node, *, base_url: str) -> Html:
    parameters = operation.get("parameters", [])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return page(
        "operation.html",
        anchor=operation["operationId"],
        kind=method,
        method=method.upper(),
        path=path,
        description=operation.get("description", operation.get("summary", "")),
        parameters=_parameters(parameters),
        body=_body(content),
        curl=_curl(base_url, path, parameters, content.get("example")),
        responses=joined(_response(*pair) for pair in operation["responses"].items()),
        example=_example(operation["responses"]["200"]),
        inputs=_inputs(parameters, content),
    )


def _parameters(parameters: Sequence[Node]) -> Html:
    if not parameters:
        return Html("")
    rows = joined(
        _term(p["name"], p["schema"], p.get("description", ""), required=p.get("required", False))
        for p in parameters
    )
    return fill(
        '<h4>Parameters</h4><div class="scroll terms-box"><table class="terms"><tbody>$rows</tbody>'
        "</table></div>",
        rows=rows,
    )


def _body(content: Node) -> Html:
    if not content:
        return Html("")
    return fill(
        "<h4>Body</h4><p>$kind, application/json</p><pre>$example</pre>",
        kind=_kind(content["schema"]),
        example=_pretty(content["example"]),
    )


def _curl(base_url: str, path: str, parameters: Sequence[Node], example: object) -> str:
    query = ""
    for parameter in parameters:
        value = _value(parameter)
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value or parameter["name"].upper())
        elif value:
            query += f"{'&' if query else '?'}{parameter['name']}={value}"
    parts = ["curl", "-s", base_url + path + query]
    if example is not None:
        parts += ["-H", "Content-Type: application/json", "-d", json.dumps(example)]
    return shlex.join(parts)


def _value(parameter: Node) -> str:
    schema = parameter["schema"]
    examples = schema.get("examples", [])
    return str(schema.get("default", examples[0] if examples else ""))


def _response(status: str, response: Node) -> Html:
    kinds = joined(
        fill(
            "$media $kind",
            media=media,
            kind=_kind(content["schema"]) if "$ref" in content["schema"] else "",
        )
        for media, content in response.get("content", {}).items()
    )
    return fill(
        "<tr><td>$status</td><td>$description</td><td>$kinds</td></tr>",
        status=status,
        description=response["description"],
        kinds=kinds,
    )


def _example(response: Node) -> Html:
    content = response["content"].get("application/json", {})
    if "example" not in content:
        return Html("")
    return fill(
        "<details><summary>Example answer</summary><pre>$example</pre></details>",
        example=_pretty(content["example"]),
    )


def _inputs(parameters: Sequence[Node], content: Node) -> Html:
    fields = joined(
        fill(
            '<label>$name<input name="$name" data-in="$place" value="$value"$required></label>',
            name=p["name"],
            place=p["in"],
            value=_value(p),
            required=Html(" required") if p.get("required") else "",
        )
        for p in parameters
    )
    if not content:
        return fill('<div class="inputs">$fields</div>', fields=fields)
    return fill(
        '<label>Body<textarea class="json" rows="11" spellcheck="false">$example</textarea></label>',
        example=_pretty(content["example"]),
    )


def _schema(name: str, schema: Node) -> Html:
    required = schema.get("required", [])
    rows = joined(
        _term(field, rule, rule.get("description", ""), required=field in required)
        for field, rule in schema.get("properties", {}).items()
    )
    return fill(
        '<section class="schema" id="schema-$name"><h3>$name</h3><p class="note">$meaning</p>'
        '<div class="scroll"><table class="terms"><tbody>$rows</tbody></table></div></section>',
        name=name,
        meaning=schema.get("description", ""),
        rows=rows,
    )


def _term(name: str, schema: Node, meaning: str, *, required: bool) -> Html:
    limits = [form.format(schema[key]) for key, form in _LIMITS.items() if key in schema]
    if not required and schema.get("default") is not None:
        limits.append(f"default {json.dumps(schema['default'])}")
    return fill(
        '<tr><th scope="row"><code>$name</code></th><td>$kind$optional</td>'
        '<td>$meaning<div class="note">$limits</div></td></tr>',
        name=name,
        kind=_kind(schema),
        optional="" if required else ", optional",
        meaning=meaning,
        limits="; ".join(limits),
    )


def _kind(schema: Node) -> Html:
    """Say a schema's type in words, with links to the bodies it refers to."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return fill('<a href="#schema-$name">$name</a>', name=name)
    if "anyOf" in schema:
        return joined((_kind(option) for option in schema["anyOf"]), " or ")
    if "enum" in schema:
        return fill("$values", values=", ".join(json.dumps(value) for value in schema["enum"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return fill("list of $items", items=_kind(schema.get("items") or {}))
    if kind == "object":
        return fill("map to $values", values=_kind(schema.get("additionalProperties") or {}))
    return fill("$kind", kind=_FORMATS.get(schema.get("format", ""), _TYPES.get(kind, kind)))


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
