"""The S3 of this machine refuses what S3 refuses, in S3's words; asked by Amazon's own client, and by hand."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aioboto3
import httpx
import pytest
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from silvertalk.standins.s3 import S3StandIn
from silvertalk.standins.s3_signatures import Keys, S3Error
from silvertalk.standins.serving import served

BUCKET = "silvertalk"
CONFIG = AioConfig(
    signature_version="s3v4",
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Bench:
    """The stand-in at `url`, a client of it, and somebody with nothing but addresses."""

    def __init__(self, standin: S3StandIn, url: str, client: Any, nobody: httpx.AsyncClient) -> None:
        self.standin, self.url, self.client, self.nobody = standin, url, client, nobody

    def client_with(
        self, access: str = "an-access-key", secret: str = "a-secret-key", region: str = "us-east-1"
    ) -> Any:
        session = aioboto3.Session(access, secret, region_name=region)
        return session.client("s3", endpoint_url=self.url, config=CONFIG)

    def later(self, **by: float) -> None:
        """The stand-in's clock goes on so far."""
        self.standin.clock = lambda: datetime.now(UTC) + timedelta(**by)

    async def form(self, **changes: str) -> tuple[int, str]:
        """Post a form for at most 10 bytes of JPEG at `u/1.jpg`, some of its fields changed; status and code."""
        data = changes.pop("data", "0123456789")
        signed = await self.client.generate_presigned_post(
            BUCKET,
            "u/1.jpg",
            Fields={"Content-Type": "image/jpeg", "x-amz-meta-of": "one"},
            Conditions=[
                {"Content-Type": "image/jpeg"},
                ["starts-with", "$x-amz-meta-of", "o"],
                ["content-length-range", 2, 10],
            ],
            ExpiresIn=300,
        )
        fields = {name: value for name, value in {**signed["fields"], **changes}.items() if value}
        answer = await self.nobody.post(signed["url"], data=fields, files={"file": ("x", data.encode())})
        return answer.status_code, code_of(answer)


def code_of(answer: httpx.Response) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    standin = S3StandIn(keys=Keys("an-access-key", "a-secret-key", "us-east-1"))
    async with served(standin.app) as url, httpx.AsyncClient(trust_env=False) as nobody:
        bench = Bench(standin, url, None, nobody)
        async with bench.client_with() as bench.client:
            yield bench


async def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        await call
    told = error.value.response
    return told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]


# --- objects ---------------------------------------------------------------------------------------------------------


async def test_an_object_comes_back(bench: Bench) -> None:
    key = "u/사진 1+2=3&~.jpg"
    await bench.client.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789", ContentType="image/jpeg")
    found = await bench.client.get_object(Bucket=BUCKET, Key=key, Range="bytes=2-4")
    assert (await found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")
    head = await bench.client.head_object(Bucket=BUCKET, Key=key)
    assert (head["ContentLength"], head["ContentType"]) == (10, "image/jpeg")
    await bench.client.delete_object(Bucket=BUCKET, Key=key)
    assert await refused(bench.client.get_object(Bucket=BUCKET, Key=key)) == (404, "NoSuchKey")
    assert await refused(bench.client.head_object(Bucket=BUCKET, Key=key)) == (404, "404")
    assert await refused(bench.client.head_bucket(Bucket="another")) == (404, "404")


async def test_a_long_listing_comes_in_pages_and_many_are_deleted_at_once(bench: Bench) -> None:
    bench.standin.page = 3
    for number in range(8):
        await bench.client.put_object(Bucket=BUCKET, Key=f"u/{number}", Body=b"")
    await bench.client.put_object(Bucket=BUCKET, Key="v/1", Body=b"")
    keys = []
    async for page in bench.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="u/"):
        assert page["KeyCount"] <= 3
        keys += [one["Key"] for one in page["Contents"]]
    assert keys == [f"u/{number}" for number in range(8)]
    answer = await bench.client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert [one["Key"] for one in answer["Deleted"]] == keys
    assert list(bench.standin.objects) == ["v/1"]


async def test_an_object_in_parts(bench: Bench) -> None:
    bench.standin.min_part_bytes = 4
    named = {"Bucket": BUCKET, "Key": "u/1.zip"}
    upload = (await bench.client.create_multipart_upload(**named, ContentType="application/zip"))["UploadId"]
    whole = {**named, "UploadId": upload}

    async def put(number: int, body: bytes) -> dict[str, Any]:
        answer = await bench.client.upload_part(**whole, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(*parts: dict[str, Any]) -> Any:
        return bench.client.complete_multipart_upload(**whole, MultipartUpload={"Parts": list(parts)})

    last, first, short = await put(3, b"8"), await put(1, b"0123"), await put(2, b"45")
    assert await refused(complete(last, first)) == (400, "InvalidPartOrder")
    assert await refused(complete(first, {**last, "ETag": '"another"'})) == (400, "InvalidPart")
    assert await refused(complete(first, short, last)) == (400, "EntityTooSmall")
    listed = await bench.client.list_multipart_uploads(Bucket=BUCKET, Prefix="u/")
    assert [(one["Key"], one["UploadId"]) for one in listed["Uploads"]] == [("u/1.zip", upload)]
    assert bench.standin.objects == {}, "nobody sees parts"
    await complete(first, await put(2, b"4567"), last)
    found = await bench.client.get_object(**named)
    assert (await found["Body"].read(), found["ContentType"]) == (b"012345678", "application/zip")
    assert await refused(complete(first)) == (404, "NoSuchUpload")
    assert await refused(bench.client.abort_multipart_upload(**whole)) == (404, "NoSuchUpload")


async def test_a_service_in_trouble(bench: Bench) -> None:
    bench.standin.refuse_next(S3Error(503, "SlowDown", "Please reduce your request rate."))
    assert await refused(bench.client.list_objects_v2(Bucket=BUCKET)) == (503, "SlowDown")
    await bench.client.list_objects_v2(Bucket=BUCKET)


# --- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"secret": "another"}, (403, "SignatureDoesNotMatch")),
        ({"access": "another"}, (403, "InvalidAccessKeyId")),
    ],
)
async def test_somebody_with_other_keys(bench: Bench, wrong: dict[str, str], expected: tuple[int, str]) -> None:
    async with bench.client_with(**wrong) as other:
        assert await refused(other.list_objects_v2(Bucket=BUCKET)) == expected


async def test_another_region(bench: Bench) -> None:
    """Amazon's client goes on to the region that it is told, so it is asked by hand."""
    async with bench.client_with(region="ap-northeast-2") as other:
        link = await other.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "u/1"})
    answer = await bench.nobody.get(link)
    assert (answer.status_code, code_of(answer)) == (400, "AuthorizationHeaderMalformed")
    assert "<Region>us-east-1</Region>" in answer.text


@pytest.mark.parametrize("minutes", [-16, 16])
async def test_a_clock_that_is_wrong(bench: Bench, minutes: int) -> None:
    bench.later(minutes=minutes)
    assert await refused(bench.client.list_objects_v2(Bucket=BUCKET)) == (403, "RequestTimeTooSkewed")


async def test_nobody_in_particular(bench: Bench) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await bench.nobody.request(method, f"{bench.url}/{BUCKET}/u/1.jpg")
        assert (answer.status_code, code_of(answer)) == (403, "AccessDenied")


async def test_a_request_that_was_changed_on_its_way(bench: Bench) -> None:
    """What a proxy between would have to be: the signed request is sent again, one thing in it another."""
    link = await bench.client.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "u/1"})
    assert (await bench.nobody.put(link, content=b"1")).status_code == 200
    for changed in (link.replace("u/1", "u/2"), link + "&x=1", link.replace("Expires=3600", "Expires=3601")):
        answer = await bench.nobody.put(changed, content=b"1")
        assert (answer.status_code, code_of(answer)) == (403, "SignatureDoesNotMatch")
    answer = await bench.nobody.put(link, content=b"1", headers={"x-amz-acl": "public-read"})
    assert (answer.status_code, code_of(answer)) == (403, "AccessDenied")
    assert (await bench.nobody.get(link)).status_code == 403
    host = urlsplit(link).netloc
    assert (await bench.nobody.put(link, content=b"1", headers={"Host": f"x{host}"})).status_code == 403


# --- presigned addresses ---------------------------------------------------------------------------------------------


async def test_a_presigned_address_ends(bench: Bench) -> None:
    await bench.client.put_object(Bucket=BUCKET, Key="u/1", Body=b"1")
    link = await bench.client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "u/1"}, ExpiresIn=9)
    assert (await bench.nobody.get(link)).status_code == 200
    bench.later(seconds=10)
    answer = await bench.nobody.get(link)
    assert (answer.status_code, code_of(answer)) == (403, "AccessDenied")
    bench.later(minutes=-20)
    assert (await bench.nobody.get(link)).status_code == 403, "signed in the future"


async def test_a_presigned_put_has_the_type_that_was_signed(bench: Bench) -> None:
    named = {"Bucket": BUCKET, "Key": "u/1", "ContentType": "image/jpeg"}
    link = await bench.client.generate_presigned_url("put_object", Params=named)
    answer = await bench.nobody.put(link, content=b"1", headers={"Content-Type": "text/html"})
    assert (answer.status_code, code_of(answer)) == (403, "SignatureDoesNotMatch")
    assert (await bench.nobody.put(link, content=b"1", headers={"Content-Type": "image/jpeg"})).status_code == 200


# --- forms -----------------------------------------------------------------------------------------------------------


async def test_a_form_that_keeps_to_its_policy(bench: Bench) -> None:
    assert await bench.form() == (204, "")
    assert bench.standin.objects["u/1.jpg"].content_type == "image/jpeg"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": "0123456789a"}, (400, "EntityTooLarge")),
        ({"data": "0"}, (400, "EntityTooSmall")),
        ({"key": "u/2.jpg"}, (403, "AccessDenied")),
        ({"Content-Type": "text/html"}, (403, "AccessDenied")),
        ({"Content-Type": ""}, (403, "AccessDenied")),
        ({"x-amz-meta-of": "two"}, (403, "AccessDenied")),
        ({"x-amz-meta-of": "other"}, (204, "")),
        ({"acl": "public-read"}, (403, "AccessDenied")),
        ({"x-ignore-me": "1"}, (204, "")),
        ({"key": ""}, (400, "InvalidArgument")),
        ({"policy": ""}, (403, "AccessDenied")),
        (
            {"policy": base64.b64encode(json.dumps({"conditions": []}).encode()).decode()},
            (403, "SignatureDoesNotMatch"),
        ),
        ({"x-amz-signature": ""}, (403, "AccessDenied")),
        ({"x-amz-signature": "0" * 64}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, (400, "InvalidArgument")),
        ({"x-amz-credential": "another/20260101/us-east-1/s3/aws4_request"}, (403, "InvalidAccessKeyId")),
    ],
)
async def test_a_form_and_its_policy(bench: Bench, changes: dict[str, str], expected: tuple[int, str]) -> None:
    assert await bench.form(**changes) == expected
    assert bool(bench.standin.objects) is (expected[0] == 204)


async def test_a_form_ends(bench: Bench) -> None:
    bench.later(seconds=301)
    assert await bench.form() == (403, "AccessDenied")
