"""How buckets are reached is said once, in the settings, and no wait is without an end."""

from bellwether.links.bucket import for_delta, for_objects, for_polars, is_remote
from bellwether.settings import Settings

LOCAL = Settings(s3_endpoint="http://127.0.0.1:9000", s3_access_key="key", s3_secret_key="secret")  # noqa: S106 - of no server


def test_an_endpoint_of_ones_own_is_named_with_its_keys() -> None:
    expected = {
        "aws_endpoint_url": "http://127.0.0.1:9000",
        "aws_allow_http": "true",
        "aws_region": "us-east-1",
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_conditional_put": "etag",
    }

    assert expected == LOCAL.storage_options


def test_without_keys_the_machine_says_who_it_is() -> None:
    expected = {"aws_region": "eu-west-1", "aws_conditional_put": "etag"}

    assert expected == Settings(s3_region="eu-west-1").storage_options


def test_plain_http_is_allowed_only_where_it_was_asked_for() -> None:
    secure = Settings(s3_endpoint="https://minio:9000").storage_options

    assert "aws_allow_http" not in secure
    assert for_objects(secure)["client_options"]["allow_http"] is False
    assert for_objects(LOCAL.storage_options)["client_options"]["allow_http"] is True


def test_every_dialect_ends_its_waits() -> None:
    delta, polars = for_delta({}), for_polars({})
    objects = for_objects({})

    assert {"timeout", "connect_timeout", "max_retries", "retry_timeout"} <= set(delta)
    assert {"read_timeout", "connect_timeout", "max_retries", "retry_timeout_ms"} <= set(polars)
    assert {"read_timeout", "connect_timeout"} <= set(objects["client_options"])
    assert {"max_retries", "retry_timeout"} <= set(objects["retry_config"])


def test_a_folder_is_no_address() -> None:
    assert not is_remote("/var/lib/lake")
    assert not is_remote("lake")
    assert is_remote("s3://bucket/lake")
