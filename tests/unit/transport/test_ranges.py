"""Ranges, validators, digests and expiry of downloads."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tinker_ext.transport.storage import Content, content_of, is_expiring, range_headers

SHA = hashlib.sha256(b"abc").digest()
MD5 = hashlib.md5(b"abc").digest()
LONG, SHORT = base64.b64encode(SHA).decode(), base64.b64encode(MD5).decode()


def test_range_headers_request_the_missing_bytes() -> None:
    assert range_headers(0, '"tag"') == {}
    assert range_headers(7, '"tag"') == {"Range": "bytes=7-", "If-Range": '"tag"'}
    assert range_headers(7, None) == {"Range": "bytes=7-"}


@pytest.mark.parametrize(
    ("status", "headers", "content"),
    [
        (200, {"content-length": "10"}, Content(0, 10)),
        (200, {}, Content(0, None)),
        (200, {"content-length": "-1"}, Content(0, None)),
        (206, {"content-range": "bytes 7-9/10"}, Content(7, 10)),
        (206, {"content-range": "bytes 7-9/*"}, Content(7, None)),
        (206, {"content-range": "bytes 6-9/10"}, None),
        (206, {"content-range": "items 7-9/10"}, None),
        (206, {}, None),
        (416, {"content-range": "bytes */7"}, Content(7, 7)),
        (416, {"content-range": "bytes */9"}, None),
        (416, {}, None),
    ],
)
def test_content_of_response(status: int, headers: dict[str, str], content: Content | None) -> None:
    assert content_of(status, headers, 7) == content


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a"', "last-modified": "Mon, 30 Nov 2026 08:00:00 GMT"}, '"a"'),
        ({"etag": 'W/"a"'}, None),
        ({"etag": 'W/"a"', "last-modified": "then"}, "then"),
        ({}, None),
    ],
)
def test_validator_is_strong_etag_or_last_modified(
    headers: dict[str, str], validator: str | None
) -> None:
    content = content_of(200, headers, 0)
    assert content is not None
    assert content.validator == validator


@pytest.mark.parametrize(
    ("headers", "whole", "part"),
    [
        ({"repr-digest": f"sha-256=:{LONG}:"}, ("sha256", SHA), ("sha256", SHA)),
        ({"repr-digest": f"md5=:{SHORT}:, sha-256=:{LONG}:"}, ("sha256", SHA), ("sha256", SHA)),
        ({"digest": f"MD5={SHORT}"}, ("md5", MD5), ("md5", MD5)),
        ({"content-digest": f"sha-256=:{LONG}:"}, ("sha256", SHA), None),
        ({"content-md5": SHORT}, ("md5", MD5), None),
        ({"x-amz-checksum-sha256": LONG}, ("sha256", SHA), ("sha256", SHA)),
        ({"x-amz-checksum-sha256": f"{LONG}-3"}, None, None),
        ({"x-amz-checksum-sha256": LONG, "x-amz-checksum-type": "COMPOSITE"}, None, None),
        ({"x-goog-hash": f"crc32c=AAAAAA==,md5={SHORT}"}, ("md5", MD5), ("md5", MD5)),
        ({"x-goog-hash": f"md5={SHORT}", "x-goog-stored-content-encoding": "gzip"}, None, None),
        ({"content-md5": "not base64"}, None, None),
        ({"content-md5": LONG}, None, None),
        ({}, None, None),
    ],
)
def test_digest_of_whole_file(headers: dict[str, str], whole: object, part: object) -> None:
    complete = content_of(200, headers, 0)
    partial = content_of(206, {"content-range": "bytes 1-2/3", **headers}, 1)
    assert complete is not None
    assert partial is not None
    assert (complete.digest, partial.digest) == (whole, part)


@pytest.mark.parametrize(
    ("expires", "signed", "now", "expected"),
    [
        (3600, 0, 3000, False),
        (3600, 0, 3301, True),
        (3600, 0, 4000, True),
        (240, 0, 100, False),
        (240, 0, 121, True),
        (-100, 0, 50, False),
    ],
)
def test_url_is_expiring(expires: float, signed: float, now: float, expected: bool) -> None:
    assert is_expiring(expires, signed, now) is expected
