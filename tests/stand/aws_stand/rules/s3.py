"""S3: opaque ETags, expected owners, Regions, short lists, refused keys, bucket policies kept from moto.

moto's conditional writes are right. Its ETags are MD5 sums, which invites code that believes in that; here each write
gets an ETag of its own, and conditions are translated.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

from ..messages import AwsError, Call, HttpResponse
from . import rule
from .kms import describe as describe_key

if TYPE_CHECKING:
    from ..stand import Stand

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
ElementTree.register_namespace("", _NAMESPACE)
_ROOTS = {"GetBucketVersioningResponse": "VersioningConfiguration"}
"""Names of XML roots that moto gets wrong; the official SDKs read only the right ones."""
_IMPOSSIBLE = '"00000000000000000000000000000000"'


@dataclass
class Bucket:
    """What moto does not know about a bucket."""

    account: str
    region: str
    policy: str | None = None
    lifecycle: bytes | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    shown: dict[tuple[str, str], str] = field(default_factory=dict)
    """Key and version (or moto's ETag) to our ETag."""
    real: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Our ETag to key and moto's ETag."""
    current: dict[str, str] = field(default_factory=dict)
    """Key to our ETag of the newest version."""


READS = (
    "HeadObject", "GetObject", "ListObjectsV2", "ListObjectVersions", "ListObjects", "HeadBucket", "GetBucketLocation",
    "GetBucketVersioning", "GetBucketEncryption", "GetPublicAccessBlock", "GetBucketTagging",
    "GetObjectTagging", "ListMultipartUploads", "ListParts", "GetBucketOwnershipControls",
)  # fmt: skip
WRITES = (
    "PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects", "CreateMultipartUpload", "UploadPart",
    "AbortMultipartUpload", "PutBucketVersioning", "PutBucketEncryption", "PutPublicAccessBlock",
    "PutBucketTagging", "DeleteBucketTagging", "PutObjectTagging", "DeleteBucket", "PutBucketOwnershipControls",
    "DeletePublicAccessBlock", "DeleteBucketEncryption",
)  # fmt: skip


def bucket_of(stand: Stand, call: Call) -> Bucket:
    """The bucket of a call, after owner and Region were checked."""
    name = call.params["Bucket"]
    bucket = stand.world.buckets.get(name)
    if bucket is None:
        raise AwsError("NotFound" if call.http.method == "HEAD" else "NoSuchBucket", "The specified bucket does not exist", 404)
    owner = call.params.get("ExpectedBucketOwner")
    if owner is not None and owner != bucket.account:
        raise AwsError("AccessDenied", "Access Denied", 403)
    if call.region != bucket.region:
        error = AwsError("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", 301)
        error.bucket_region = bucket.region  # type: ignore[attr-defined]
        raise error
    if bucket.account != call.account and not stand.settings.enforce_policies:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


@rule("s3", "ListBuckets")
def list_buckets(stand: Stand, call: Call) -> HttpResponse:
    """moto's list of the account."""
    return stand.moto.forward(call.http)


@rule("s3", "CreateBucket")
def create(stand: Stand, call: Call) -> HttpResponse:
    """Names are global; the location must be the Region of the signature."""
    name = call.params["Bucket"]
    have = stand.world.buckets.get(name)
    if have is not None:
        if have.account != call.account:
            raise AwsError("BucketAlreadyExists", "The requested bucket name is not available.", 409)
        raise AwsError("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", 409)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.")
    place = (call.params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if (place or "us-east-1") != call.region:
        raise AwsError("IllegalLocationConstraintException", f"The {place or 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.")
    answer = stand.moto.forward(call.http)
    if answer.status < 300:
        stand.world.buckets[name] = Bucket(call.account, call.region)
    return answer


@rule("s3", "PutBucketPolicy")
def put_policy(stand: Stand, call: Call) -> HttpResponse:
    """Kept here: moto would enforce it without its conditions."""
    bucket = bucket_of(stand, call)
    text = call.params["Policy"]
    for arn in stand.policies.parse(text):
        if not arn.startswith(f"arn:aws:iam::{call.account}:role/"):
            continue
        name = arn.rpartition("/")[2]
        if stand.world.looks_fresh(f"role/{name}") or not stand.policies.role_exists(call, name):
            raise AwsError("MalformedPolicy", "Invalid principal in policy")
    bucket.policy = text
    return HttpResponse(204, {}, b"")


@rule("s3", "GetBucketPolicy")
def get_policy(stand: Stand, call: Call) -> HttpResponse:
    """As it was put."""
    bucket = bucket_of(stand, call)
    if bucket.policy is None:
        raise AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
    return HttpResponse(200, {"Content-Type": "application/json"}, bucket.policy.encode())


@rule("s3", "DeleteBucketPolicy")
def delete_policy(stand: Stand, call: Call) -> HttpResponse:
    """Absent is fine."""
    bucket_of(stand, call).policy = None
    return HttpResponse(204, {}, b"")


@rule("s3", "PutBucketLifecycleConfiguration")
def put_lifecycle(stand: Stand, call: Call) -> HttpResponse:
    """Kept here: moto forgets how many newer versions a rule wants. Rules that contradict each other are refused."""
    bucket = bucket_of(stand, call)
    rules = (call.params.get("LifecycleConfiguration") or {}).get("Rules", [])
    ids = [one.get("ID", "") for one in rules]
    if not rules or len(rules) > 1000 or len(set(ids)) != len(ids):
        raise AwsError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    seen: set[tuple[str, str]] = set()
    for one in rules:
        if "Filter" not in one and "Prefix" not in one:
            raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
        actions = [name for name in one if name not in ("ID", "Status", "Filter", "Prefix")]
        if not actions:
            raise AwsError("InvalidRequest", "At least one action needs to be specified in a rule")
        ending = one.get("NoncurrentVersionExpiration") or {"NoncurrentDays": 1}
        if ending.get("NoncurrentDays", 0) < 1 or not 1 <= ending.get("NewerNoncurrentVersions", 1) <= 100:
            raise AwsError("InvalidArgument", "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
        for action in actions:
            place = (str(one.get("Filter", one.get("Prefix"))), action)
            if place in seen:
                raise AwsError("InvalidRequest", f"Found two rules with same prefix for same action type '{action}'")
            seen.add(place)
    bucket.lifecycle = call.http.body
    return HttpResponse(200, {}, b"")


@rule("s3", "GetBucketLifecycleConfiguration")
def get_lifecycle(stand: Stand, call: Call) -> HttpResponse:
    """As it was put."""
    bucket = bucket_of(stand, call)
    if bucket.lifecycle is None:
        raise AwsError("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", 404)
    return HttpResponse(200, {"Content-Type": "application/xml"}, bucket.lifecycle)


@rule("s3", "DeleteBucketLifecycle")
def delete_lifecycle(stand: Stand, call: Call) -> HttpResponse:
    """Absent is fine."""
    bucket_of(stand, call).lifecycle = None
    return HttpResponse(204, {}, b"")


@rule("s3", *READS)
def read(stand: Stand, call: Call) -> HttpResponse:
    """Reads: ETags become ours."""
    bucket = bucket_of(stand, call)
    http = call.http
    if call.action.startswith("List") and call.action not in ("ListParts", "ListMultipartUploads") and stand.settings.page_size:
        query = [(k, v) for k, v in parse_qsl(http.query, keep_blank_values=True) if k != "max-keys"]
        asked = call.params.get("MaxKeys")
        size = stand.settings.page_size if asked is None else min(stand.settings.page_size, asked)
        http = replace(http, query=urlencode([*query, ("max-keys", str(size))]))
    with bucket.lock:
        answer = stand.moto.forward(_conditions(bucket, call, http))
        if answer.status == 404 and call.action in ("GetObject", "HeadObject"):
            _hide(stand, call)
        for wrong, right in _ROOTS.items():
            answer.body = answer.body.replace(f"<{wrong}".encode(), f"<{right}".encode()).replace(f"</{wrong}".encode(), f"</{right}".encode())
        return _ours(bucket, call, answer)


@rule("s3", *WRITES)
def write(stand: Stand, call: Call) -> HttpResponse:
    """Writes, one at a time per bucket, so that a condition and its write are one."""
    bucket = bucket_of(stand, call)
    _check_key(stand, call)
    with bucket.lock:
        if call.action == "DeleteBucket":
            listing = replace(call.http, method="GET", query="versions=&max-keys=1", body=b"")
            found = stand.moto.forward(listing).body
            if b"<Version>" in found or b"<DeleteMarker>" in found:
                raise AwsError("BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", 409)
        answer = stand.moto.forward(_conditions(bucket, call, call.http))
        if answer.status < 300:
            if call.action == "DeleteBucket":
                stand.world.buckets.pop(call.params["Bucket"], None)
            if call.action in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
                return _written(bucket, call, answer)
            if call.action == "DeleteObject":
                _newest(stand, bucket, call)
        return answer


def _hide(stand: Stand, call: Call) -> None:
    """Whoever may not list does not learn that a key is missing."""
    arn = f"arn:aws:s3:::{call.params['Bucket']}"
    if not stand.policies.may(call, "s3:ListBucket", arn):
        text = f"User: {call.principal.arn} is not authorized to perform: s3:ListBucket on resource: {arn}"
        raise AwsError("AccessDenied", text, 403)


def _check_key(stand: Stand, call: Call) -> None:
    key = call.params.get("SSEKMSKeyId")
    if key and call.action in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        found = describe_key(stand, call, key)
        if found is None:
            raise AwsError("KMS.NotFoundException", f"Key '{key}' does not exist")
        if found["KeyState"] == "Disabled":
            raise AwsError("KMS.DisabledException", f"{found['Arn']} is disabled.")
        if found["KeyState"] != "Enabled":
            raise AwsError("KMS.KMSInvalidStateException", f"{found['Arn']} is pending deletion.")


def _newest(stand: Stand, bucket: Bucket, call: Call) -> None:
    """After a deletion an older version may be the newest again."""
    key = call.params["Key"]
    bucket.current.pop(key, None)
    headers = {k: v for k, v in call.http.headers.items() if not k.startswith("if-")}
    answer = stand.moto.forward(replace(call.http, method="HEAD", query="", headers=headers, body=b""))
    ours = bucket.shown.get((key, answer.header("x-amz-version-id") or "null"))
    if answer.status == 200 and ours:
        bucket.current[key] = ours


def _conditions(bucket: Bucket, call: Call, http: Any) -> Any:
    """Our ETags in conditions become moto's; one that is not of this object can never match."""
    headers = dict(http.headers)
    for name in ("if-match", "if-none-match"):
        value = headers.get(name)
        if value is None or value == "*":
            continue
        key, real = bucket.real.get(value.strip('"'), ("", ""))
        if key != call.params.get("Key"):
            headers[name] = _IMPOSSIBLE
        elif call.action in ("PutObject", "CompleteMultipartUpload", "DeleteObject"):
            newest = bucket.current.get(key) == value.strip('"')
            headers[name] = f'"{real}"' if newest else _IMPOSSIBLE
        else:
            asked = bucket.shown.get((key, str(call.params.get("VersionId")))) or bucket.current.get(key)
            headers[name] = f'"{real}"' if asked == value.strip('"') else _IMPOSSIBLE
    return replace(http, headers=headers)


def _written(bucket: Bucket, call: Call, answer: HttpResponse) -> HttpResponse:
    """A new ETag for a new object."""
    key = call.params["Key"]
    found = re.search(rb"<ETag>(?:&quot;|\")?([\w-]+)", answer.body)
    real = (answer.header("etag") or (found.group(1).decode() if found else "")).strip('"')
    ours = _new(bucket, key, answer.header("x-amz-version-id") or "null", real)
    bucket.current[key] = ours
    if answer.header("etag"):
        _set(answer, "ETag", f'"{ours}"')
    answer.body = re.sub(rb"<ETag>[^<]*</ETag>", f"<ETag>&quot;{ours}&quot;</ETag>".encode(), answer.body)
    return answer


def _new(bucket: Bucket, key: str, version: str, real: str) -> str:
    ours = secrets.token_hex(16)
    bucket.shown[key, version] = ours
    bucket.real[ours] = (key, real)
    return ours


def _ours(bucket: Bucket, call: Call, answer: HttpResponse) -> HttpResponse:
    if call.action in ("GetObject", "HeadObject"):
        real = (answer.header("etag") or "").strip('"')
        if real:
            key = call.params["Key"]
            ours = bucket.shown.get((key, answer.header("x-amz-version-id") or "null"))
            _set(answer, "ETag", f'"{ours or _new(bucket, key, "null", real)}"')
        return answer
    if call.action.startswith("ListObject") and answer.status < 300:
        root = ElementTree.fromstring(answer.body)
        for item in root.iter():
            tag = item.find(f"{{{_NAMESPACE}}}ETag")
            key, version = item.find(f"{{{_NAMESPACE}}}Key"), item.find(f"{{{_NAMESPACE}}}VersionId")
            if tag is None or key is None:
                continue
            name = key.text or ""
            ours = bucket.shown.get((name, version.text or "null")) if version is not None else bucket.current.get(name)
            tag.text = f'"{ours or secrets.token_hex(16)}"'
        answer.body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return answer


def _set(answer: HttpResponse, name: str, value: str) -> None:
    for key in [k for k in answer.headers if k.lower() == name.lower()]:
        del answer.headers[key]
    answer.headers[name] = value
